//! `schema`: a tenant's own attributes of users and groups.

use std::path::PathBuf;

use clap::Subcommand;
use engine::endpoint::Kind;
use engine::schemas;
use serde_json::{Value, json};

use crate::error_report::{CliError, Exit};
use crate::session::Session;

/// Own attributes of users and groups, as extension schemas
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add the schema of a file, or put it in the place of the one of its URN
    #[command(
        after_help = "Examples:\n  lockstep schema add acme-user.json\n  lockstep schema add acme-group.json --group\n\n\
The file is a schema as RFC 7643 section 7 has it, for example:\n\
  {\"id\": \"urn:ietf:params:scim:schemas:extension:acme:2.0:User\", \"name\": \"AcmeUser\",\n   \
\"attributes\": [{\"name\": \"badge\", \"type\": \"string\"}, {\"name\": \"floor\", \"type\": \"integer\"}]}"
    )]
    Add {
        /// The file, JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// It extends groups; else users
        #[arg(long)]
        group: bool,
    },
    /// List the tenant's own schemas and how many users or groups use them
    #[command(after_help = "Example:\n  lockstep schema list")]
    List,
    /// Print a schema, one of the RFCs too, in the form that add takes
    #[command(
        after_help = "Example:\n  lockstep schema show urn:ietf:params:scim:schemas:extension:acme:2.0:User"
    )]
    Show {
        /// The schema's URN
        urn: String,
    },
    /// Remove an own schema; refused while data is stored under it
    #[command(
        after_help = "Example:\n  lockstep schema remove urn:ietf:params:scim:schemas:extension:acme:2.0:User"
    )]
    Remove {
        /// The schema's URN
        urn: String,
        /// Remove what is stored under it too
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    match command {
        Command::Add { file, group } => {
            let text =
                std::fs::read_to_string(&file).map_err(|error| CliError::file("schema", &file, &error))?;
            let kind = if group { Kind::Group } else { Kind::User };
            let (schema, changed) = schemas::add(&session.engine, &tenant, kind, &text).await?;
            let count = match schema.attributes.len() {
                1 => "1 attribute".to_owned(),
                count => format!("{count} attributes"),
            };
            let sentence = if changed {
                format!(
                    "{} is known: {count} of {}s; requests may use them at once",
                    schema.id,
                    kind.as_str()
                )
            } else {
                format!("{} was known as it is", schema.id)
            };
            session.output.changed(changed, &sentence)?;
        }
        Command::List => list(session, schemas::list(&session.engine, &tenant).await?)?,
        Command::Show { urn } => {
            let schema = schemas::show(&session.engine, &tenant, &urn).await?;
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            session.output.show(&schema, || text)?;
        }
        Command::Remove { urn, yes } => {
            let objects = schemas::remove(&session.engine, &tenant, &urn, yes).await?;
            let sentence = match objects {
                0 => format!("{urn} is removed; nothing was stored under it"),
                _ => format!("{urn} is removed, and what {objects} users or groups held under it"),
            };
            session.output.changed(true, &sentence)?;
        }
    }
    Ok(Exit::Done)
}

fn list(session: &Session, all: Vec<schemas::InUse>) -> Result<(), CliError> {
    let (mut values, mut rows): (Vec<Value>, Vec<Vec<String>>) = (vec![], vec![]);
    for schemas::InUse { extension, objects } in all {
        let (schema, kind) = (extension.schema, extension.kind.as_str());
        values.push(json!({
            "urn": schema.id, "name": schema.name, "extends": kind, "attributes": schema.attributes.len(),
            "used_by": objects, "version": extension.version,
        }));
        let count = schema.attributes.len().to_string();
        rows.push(vec![schema.id, schema.name, format!("{kind}s"), count, objects.to_string()]);
    }
    session.output.list(&values, &["urn", "name", "extends", "attributes", "used by"], rows)
}
