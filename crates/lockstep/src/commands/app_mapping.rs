//! `app mapping`: show, set and preview how app attributes get their values.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use domain::ids::TenantId;
use domain::mapping::{MappingRule, MappingSource, MappingWhen};
use engine::apps::{self, Target};
use engine::mapping_preview::mapping_counts;
use engine::{EngineError, preview, why};
use serde_json::json;

use crate::error_report::{CliError, Exit};
use crate::output::{count, table};
use crate::session::Session;

/// `app mapping APP --user USER` is short for `app mapping preview`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The app's name
    app: Option<String>,
    /// Preview the values of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

/// How app attributes get their values
#[derive(Debug, Subcommand)]
enum Command {
    /// Show the rules
    #[command(after_help = "Example:\n  lockstep app mapping show crm -o json > mapping.json")]
    Show {
        /// The app's name
        app: String,
    },
    /// Replace the rules by those of a JSON file; they are compiled first
    #[command(after_help = SET_HELP)]
    Set {
        /// The app's name
        app: String,
        /// A JSON list of rules, as `app mapping show -o json` prints it; - reads stdin
        file: PathBuf,
    },
    /// Dry run: what everybody would get, counted; or every value of one user
    #[command(after_help = PREVIEW_HELP)]
    Preview {
        /// The app's name
        app: String,
        /// id, externalId or userName
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Rules that are not set yet, as for `app mapping set`
        #[arg(long, value_name = "FILE", conflicts_with = "user")]
        file: Option<PathBuf>,
    },
}

const SET_HELP: &str = "\
A rule: {\"target\": \"title\", \"source\": {\"attribute\": \"title\"}, \"when\": \"always\"}
Sources: {\"attribute\": PATH}, {\"constant\": VALUE}, {\"expression\": \"user.name.givenName | lower\"}, \"manager_account\"
when: always, or create (sent once)

Example:
  lockstep app mapping show crm -o json > mapping.json
  lockstep app mapping set crm mapping.json";

const PREVIEW_HELP: &str = "\
Example:
  lockstep app mapping preview crm
  lockstep app mapping preview crm --file mapping.json
  lockstep app mapping preview crm --user ada@acme.example";

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    tenant: &TenantId,
    arguments: Arguments,
) -> Result<Exit, CliError> {
    match (arguments.command, arguments.app, arguments.user) {
        (Some(Command::Show { app }), ..) | (None, Some(app), None) => show(session, tenant, &app).await,
        (Some(Command::Set { app, file }), ..) => set(session, tenant, &app, &file).await,
        (Some(Command::Preview { app, user: Some(user), .. }), ..) | (None, Some(app), Some(user)) => {
            values(session, tenant, &app, &user).await
        }
        (Some(Command::Preview { app, user: None, file }), ..) => {
            everybody(session, tenant, &app, file.as_deref()).await
        }
        (None, None, _) => Err(CliError::new("no_app", "no app is named")
            .next("lockstep app mapping show APP, or see lockstep app list")),
    }
}

async fn show(session: &Session, tenant: &TenantId, app: &str) -> Result<Exit, CliError> {
    let app = session.app(tenant, app).await?;
    let rules = &app.settings.mapping;
    session.output.show(rules, || {
        let rows = rules
            .iter()
            .map(|rule| vec![rule.target.clone(), source(&rule.source), when(rule.when)])
            .collect();
        table(&["app attribute", "value", "when"], rows)
    })?;
    Ok(Exit::Done)
}

fn source(source: &MappingSource) -> String {
    match source {
        MappingSource::Attribute(path) => path.clone(),
        MappingSource::Constant(value) => format!("always {value}"),
        MappingSource::Expression(text) => format!("= {text}"),
        MappingSource::ManagerAccount => "the manager's account in this app".into(),
    }
}

fn when(when: MappingWhen) -> String {
    if when == MappingWhen::Create { "on create" } else { "always" }.into()
}

async fn set(session: &Session, tenant: &TenantId, app: &str, file: &Path) -> Result<Exit, CliError> {
    let rules = read_rules(file)?;
    let before = session.app(tenant, app).await?;
    let changed = apps::change(&session.engine, tenant, app, "app.mapping", move |app| {
        app.settings.mapping.clone_from(&rules);
        Ok(())
    });
    let after = changed.await.map_err(does_not_compile)?;
    let changed = before.settings.mapping != after.settings.mapping;
    let text = format!(
        "the mapping of '{}' has {} rules; see the effect with: lockstep plan {}",
        after.name,
        after.settings.mapping.len(),
        after.name
    );
    session.output.changed(changed, &text)?;
    Ok(Exit::Done)
}

fn read_rules(file: &Path) -> Result<Vec<MappingRule>, CliError> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| CliError::file("cannot-read", file, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::new("mapping_file", format!("{} is no list of mapping rules", file.display()))
            .why(error.to_string())
            .next("start from: lockstep app mapping show APP -o json")
    })
}

fn does_not_compile(error: EngineError) -> CliError {
    match error {
        EngineError::Invalid(problems) => {
            CliError::new("mapping", "the mapping does not compile; nothing was changed").why(problems).next(
                "mend the rules that are named; lockstep app mapping set --help shows how rules are written",
            )
        }
        other => other.into(),
    }
}

async fn everybody(
    session: &Session,
    tenant: &TenantId,
    app: &str,
    file: Option<&Path>,
) -> Result<Exit, CliError> {
    let rules = file.map(read_rules).transpose()?;
    let app = session.app(tenant, app).await?;
    let counts = mapping_counts(&session.engine, tenant, &app.id, rules).await.map_err(does_not_compile)?;
    session.output.show(&counts, || {
        let rows = counts.attributes.iter().map(|(target, of)| {
            let example = of.example.as_ref().map(shown).unwrap_or_default();
            vec![target.clone(), of.with_value.to_string(), of.empty.to_string(), example]
        });
        let mut text = table(&["app attribute", "with a value", "empty", "example"], rows.collect());
        text.push_str(&format!(
            "\n{} active: {} mapped, {} fail, {} out of scope",
            count(counts.users, "user", "users"),
            counts.mapped,
            counts.failed,
            counts.out_of_scope
        ));
        for problem in &counts.problems {
            text.push_str(&format!(
                "\n  {} for {}, for example {}: {}",
                problem.target,
                count(problem.users, "user", "users"),
                problem.examples.join(", "),
                problem.problem
            ));
        }
        text
    })?;
    Ok(if counts.failed > 0 { Exit::NeedsPerson } else { Exit::Done })
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn values(session: &Session, tenant: &TenantId, app: &str, user: &str) -> Result<Exit, CliError> {
    let (app_id, subject) = why::ids(&session.engine, tenant, app, Target::User(user.to_owned())).await?;
    let values = preview::mapped(&session.engine, tenant, &app_id, &subject).await?.map_err(|error| {
        CliError::new("mapping.failed", format!("{}: {}", error.target, error.problem))
            .next("mend the rule (lockstep app mapping set) or the user (lockstep user edit)")
    })?;
    session.output.show(&json!(values), || {
        table(
            &["app attribute", "value"],
            values.iter().map(|(path, value)| vec![path.clone(), shown(value)]).collect(),
        )
    })?;
    Ok(Exit::Done)
}
