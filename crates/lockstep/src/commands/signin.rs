//! `signin`: try out first login, and decide by hand whom an identity provider's subject stands for.

use clap::{Args, Subcommand};
use domain::signin::SigninRequest;
use engine::signin::{self, Outcome, Resemblance, SigninReport};
use engine::{connections, directory};
use serde_json::{Value, json};

use crate::error_report::{CliError, Exit};
use crate::output::{count, printable, table, time};
use crate::session::Session;

/// First login: try an assertion out, tie a subject to a user
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say who would sign in with an assertion, and why; changes nothing without --commit
    #[command(
        after_help = "Examples:\n  lockstep signin test --issuer https://acme.okta.com --subject 00u1x2y3 --claim email=ada@acme.example\n  lockstep signin test --connection entra --subject AbC --claim oid=7c1e4b1c --commit"
    )]
    Test(TestArguments),
    /// Tie an identity provider's subject to a user, after comparing the two
    #[command(
        after_help = "Example:\n  lockstep signin link ada@acme.example --issuer https://acme.okta.com --subject 00u1x2y3"
    )]
    Link {
        /// id, externalId or userName
        user: String,
        /// The issuer that a connection declares
        #[arg(long)]
        issuer: String,
        /// The subject in its assertions
        #[arg(long)]
        subject: String,
    },
    /// Forget which subjects a user is; the next login is a first one again
    #[command(after_help = "Example:\n  lockstep signin unlink ada@acme.example")]
    Unlink {
        /// id, externalId or userName
        user: String,
    },
    /// Show which subjects a user is
    #[command(after_help = "Example:\n  lockstep signin show ada@acme.example")]
    Show {
        /// id, externalId or userName
        user: String,
    },
}

/// An assertion.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// OpenID Connect iss, or the entity id of a SAML identity provider
    #[arg(long, required_unless_present = "connection", conflicts_with = "connection")]
    issuer: Option<String>,
    /// The connection whose issuer is meant
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// OpenID Connect sub, or a persistent SAML NameID
    #[arg(long)]
    subject: String,
    /// A further claim; may be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = parse_claim)]
    claims: Vec<(String, String)>,
    /// Carry it out as a real login would
    #[arg(long)]
    commit: bool,
}

/// Names of claims may be URLs; none holds an equals sign.
fn parse_claim(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("write it as NAME=VALUE, for example email=ada@acme.example")?;
    if name.trim().is_empty() {
        return Err("the claim has no name; write it as NAME=VALUE".into());
    }
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let engine = &session.engine;
    match command {
        Command::Test(arguments) => return test(session, arguments).await,
        Command::Link { user, issuer, subject } => {
            let name = signin::link(engine, &tenant, &user, &issuer, &subject).await?;
            session.output.changed(true, &format!("'{subject}' of {issuer} now signs in as '{name}'"))?;
        }
        Command::Unlink { user } => {
            let forgotten = signin::unlink(engine, &tenant, &user).await?;
            let subjects = count(usize::try_from(forgotten).unwrap_or(usize::MAX), "subject", "subjects");
            session.output.changed(
                forgotten > 0,
                &format!("{subjects} of '{user}' forgotten; the next login is a first one"),
            )?;
        }
        Command::Show { user } => {
            let found = directory::show_user(engine, &tenant, &user).await?.user;
            let ties = signin::ties(engine, &tenant, &found.id).await?;
            let values: Vec<Value> = ties.iter().map(|tie| json!(tie)).collect();
            let rows =
                ties.into_iter().map(|tie| vec![tie.issuer, tie.subject, time(tie.since_ms)]).collect();
            session.output.list(&values, &["issuer", "subject", "since (UTC)"], rows)?;
        }
    }
    Ok(Exit::Done)
}

async fn test(session: &Session, arguments: TestArguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let issuer = match (arguments.issuer, arguments.connection) {
        (Some(issuer), _) => issuer,
        (None, name) => {
            let name = name.unwrap_or_default();
            let found = connections::find(&session.engine, &tenant, &name).await?;
            found.settings.issuer.ok_or_else(|| {
                CliError::new("no_issuer", format!("the connection '{}' declares no issuer", found.name))
                    .why("first login finds its connection by the issuer in the assertion")
                    .next(format!("lockstep connection set {} --issuer ISSUER", found.name))
            })?
        }
    };
    let claims = arguments.claims.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let request = SigninRequest { issuer, subject: arguments.subject, claims };
    let report = signin::try_out(&session.engine, &tenant, request, arguments.commit).await?;
    session.output.show(&report, || in_words(&report, arguments.commit))?;
    Ok(if report.answer.outcome == Outcome::Refused { Exit::NeedsPerson } else { Exit::Done })
}

fn in_words(report: &SigninReport, done: bool) -> String {
    let answer = &report.answer;
    let name = answer.user.as_ref().map_or("", |user| user.user_name.as_str());
    let connection = report.connection.as_deref().unwrap_or("(none)");
    let mut lines = vec![match (answer.outcome, done) {
        (Outcome::Known, false) => format!("'{name}' would sign in: issuer and subject are known"),
        (Outcome::Known, true) => format!("'{name}' signs in: issuer and subject are known"),
        (Outcome::Linked, false) => {
            format!("'{name}' would sign in, and the subject would be tied to this user")
        }
        (Outcome::Linked, true) => {
            format!("'{name}' signs in, and the subject is tied to this user from now on")
        }
        (Outcome::Created, false) => format!("'{name}' would be made and sign in"),
        (Outcome::Created, true) => format!("'{name}' is made and signs in"),
        (Outcome::Refused, _) => format!(
            "refused [{}]: {}",
            answer.refusal.as_deref().unwrap_or_default(),
            report.title.as_deref().unwrap_or_default()
        ),
    }];
    lines.push(format!("  connection: {connection}"));
    lines.extend(report.looked_for.iter().map(|text| format!("  looked for: {text}")));
    if let Some(pending) = &answer.pending_rename {
        lines.push(format!(
            "  rename pending from the identity provider since {} UTC: {} is '{}' here, '{}' there",
            time(pending.since_ms),
            pending.attribute,
            pending.directory,
            pending.asserted
        ));
    }
    if let Some(document) = &report.document {
        lines.push(format!("  document:   {document}"));
    }
    if let Some(fix) = &report.fix {
        lines.push(format!("  next:       {fix}"));
    }
    lines.push(format!("  trace:      {}", if done { &answer.trace } else { "(none, nothing was written)" }));
    let text = lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n");
    if report.close.is_empty() { text } else { format!("{text}\n\n{}", close(&report.close)) }
}

fn close(found: &[Resemblance]) -> String {
    let rows = found.iter().map(|one| {
        vec![one.user_name.clone(), one.by.clone(), one.source.clone(), one.state.to_owned(), one.id.clone()]
    });
    table(&["close", "same", "managed by", "state", "id"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read() {
        assert_eq!(parse_claim("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(parse_claim("http://x/claims/upn=a"), Ok(("http://x/claims/upn".into(), "a".into())));
        assert!(parse_claim("a").is_err() && parse_claim("=a").is_err());
    }
}
