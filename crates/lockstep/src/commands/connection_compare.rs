//! `connection compare`: what an identity provider has and did not send, with what makes it send that.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use domain::connection::{Connection, IdentityProvider};
use domain::ids::TenantId;
use engine::connection_compare::{ConnectionComparison, Lack, compare};
use engine::connections;
use engine::load::{LoadFile, LoadRequest, Preset};

use super::directory::{parse_map, preset_names, read};
use crate::error_report::{CliError, Exit};
use crate::output::{count, note, table};
use crate::session::Session;

/// What a comparison reads.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Users: an export of the identity provider as it is, or .csv or .jsonl with SCIM paths
    #[arg(required_unless_present_any = ["groups", "members"])]
    users: Option<PathBuf>,
    /// The connection; not needed while there is only one
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// Groups
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Members: columns group and member
    #[arg(long, value_name = "FILE")]
    members: Option<PathBuf>,
    /// A column that is not named by a SCIM path; may be repeated
    #[arg(long, value_name = "COLUMN=PATH", value_parser = parse_map)]
    map: Vec<(String, String)>,
    /// The users file is an export of this product [default: seen from the connection and the file]
    #[arg(long, value_name = "EXPORT", value_parser = preset_names())]
    preset: Option<String>,
    /// How many to show at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    tenant: &TenantId,
    arguments: Arguments,
) -> Result<Exit, CliError> {
    let connection = the_connection(session, tenant, arguments.connection.as_deref()).await?;
    let users = read(arguments.users)?;
    let preset = match &arguments.preset {
        Some(name) => Preset::named(name),
        None => users.as_ref().and_then(|file| seen_preset(connection.provider, file)),
    };
    let request = LoadRequest {
        users,
        groups: read(arguments.groups)?,
        members: read(arguments.members)?,
        map: arguments.map,
        preset,
        ..LoadRequest::default()
    };
    let found = compare(&session.engine, tenant, &connection.name, request).await?;
    for problem in found.problems.iter().take(20) {
        note(&format!("not compared: {problem}"));
    }
    let limit = arguments.limit as usize;
    session.output.show(&found, || in_words(&connection, &found, limit))?;
    let complete = found.lacks.is_empty() && found.problems.is_empty();
    Ok(if complete { Exit::Done } else { Exit::NeedsPerson })
}

async fn the_connection(
    session: &Session,
    tenant: &TenantId,
    name: Option<&str>,
) -> Result<Connection, CliError> {
    if let Some(name) = name {
        return Ok(connections::find(&session.engine, tenant, name).await?);
    }
    let mut all = connections::list(&session.engine, tenant).await?;
    match (all.len(), all.pop()) {
        (1, Some(only)) => Ok(only),
        (0, _) | (_, None) => Err(CliError::new("no_connection", "there is no connection to compare with")
            .next("make one with lockstep connection add okta|entra|onelogin|jumpcloud|generic NAME")),
        (many, _) => Err(CliError::new("several_connections", format!("there are {many} connections"))
            .next("name one with --connection; lockstep connection list shows them")),
    }
}

/// The preset of the connection's product, if the file's header has its key column.
fn seen_preset(provider: IdentityProvider, file: &LoadFile) -> Option<&'static Preset> {
    let preset = Preset::named(provider.as_str())?;
    let header = file.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(header).to_lowercase();
    header
        .split([',', ';'])
        .any(|cell| {
            cell.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\u{feff}')
                == preset.key.to_lowercase()
        })
        .then_some(preset)
}

fn in_words(connection: &Connection, found: &ConnectionComparison, limit: usize) -> String {
    let mut text = format!(
        "{} here as the export says",
        count(found.same, "object or membership is", "objects and memberships are")
    );
    if found.not_expected > 0 {
        text.push_str(&format!(
            "\n{} not expected here: inactive, or kept out by the policies",
            found.not_expected
        ));
    }
    if found.only_here > 0 {
        text.push_str(&format!(
            "\n{} of '{}' {} not in the file",
            count(found.only_here, "active user", "active users"),
            connection.name,
            if found.only_here == 1 { "is" } else { "are" }
        ));
    }
    if found.lacks.is_empty() {
        text.push_str("\nnothing is missing");
        return text;
    }
    let rows = found.lacks.iter().take(limit).map(row).collect();
    text.push_str(&format!("\n\n{}", table(&["what", "name", "state", "differs in", "line"], rows)));
    if found.lacks.len() > limit {
        text.push_str(&format!("\n... and {} more; --limit shows them", found.lacks.len() - limit));
    }
    text.push_str("\n\nTo have them sent again, in this order:");
    let mut steps: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for lack in &found.lacks {
        let place = ["user", "group", "member"].iter().position(|kind| *kind == lack.kind).unwrap_or(3);
        *steps.entry((place, lack.step)).or_default() += 1;
    }
    for ((place, step), times) in steps {
        let what = match place {
            0 => count(times, "user", "users"),
            1 => count(times, "group", "groups"),
            _ => count(times, "membership", "memberships"),
        };
        text.push_str(&format!("\n  {what}: {step}"));
    }
    text
}

fn row(lack: &Lack) -> Vec<String> {
    let parts: Vec<String> = lack
        .attributes
        .iter()
        .map(|one| format!("{}: '{}' there, '{}' here", one.path, one.theirs, one.ours))
        .collect();
    let differs = if parts.is_empty() { "-".into() } else { parts.join("; ") };
    vec![lack.kind.to_owned(), lack.name.clone(), lack.state.to_owned(), differs, lack.line.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_known_by_its_key_column() {
        let seen = |provider, text: &str| {
            seen_preset(provider, &LoadFile::new("users.csv", text.as_bytes().to_vec()))
                .map(|preset| preset.name)
        };
        let okta = "\u{feff}\"login\",firstName\nada@x,Ada\n";
        assert_eq!(seen(IdentityProvider::Okta, okta), Some("okta"));
        assert_eq!(seen(IdentityProvider::Okta, "userName,externalId\na,b\n"), None);
        assert_eq!(seen(IdentityProvider::Generic, okta), None);
    }
}
