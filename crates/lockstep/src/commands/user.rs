//! `user`: the users of the directory.

use clap::{Args, Subcommand};
use domain::directory::User;
use domain::ids::TenantId;
use engine::directory::{self, Edits, Manager, Managers, UserView};
use serde_json::{Value, json};

use super::edits::Attributes;
use super::managed::{self, Agreement, Doing, may_change_user};
use super::{user_merge, user_report};
use crate::error_report::{CliError, Exit};
use crate::output::{note, pairs, time};
use crate::session::Session;

/// Show and change users of the directory
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a user with its groups
    #[command(after_help = "Example:\n  lockstep user show ada@acme.example")]
    Show {
        /// id, externalId or userName
        user: String,
    },
    /// List users
    #[command(after_help = "Example:\n  lockstep user list --limit 20")]
    List(ListArguments),
    /// Add a user by hand
    #[command(
        after_help = "Example:\n  lockstep user add ada@acme.example --given-name Ada --family-name Lovelace --email ada@acme.example"
    )]
    Add {
        /// The userName
        user_name: String,
        #[command(flatten)]
        person: Person,
    },
    /// Change attributes of a user
    #[command(
        after_help = "Example:\n  lockstep user edit ada@acme.example --set title='Chief Engineer' --unset locale"
    )]
    Edit {
        /// id, externalId or userName
        user: String,
        /// A new userName
        #[arg(long)]
        user_name: Option<String>,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Deactivate a user: the accounts follow
    #[command(after_help = "Example:\n  lockstep user deactivate ada@acme.example")]
    Deactivate {
        /// id, externalId or userName
        user: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Reactivate a user
    #[command(after_help = "Example:\n  lockstep user reactivate ada@acme.example")]
    Reactivate {
        /// id, externalId or userName
        user: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Delete a user; restorable
    #[command(after_help = "Example:\n  lockstep user delete ada@acme.example")]
    Delete {
        /// id, externalId or userName
        user: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Join two users that are one person
    Merge(user_merge::Arguments),
    /// Users that no source has confirmed for a time
    Report(user_report::Arguments),
    /// Bring a deleted user back
    #[command(after_help = "Example:\n  lockstep user restore ada@acme.example")]
    Restore {
        /// id, externalId or userName of a deleted user
        user: String,
        #[command(flatten)]
        agreement: Agreement,
    },
}

/// Pages of a list.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub(crate) limit: i64,
    /// Go on after this id
    #[arg(long, default_value = "", value_name = "ID")]
    pub(crate) after: String,
    /// Those that are deleted and can be restored
    #[arg(long)]
    pub(crate) deleted: bool,
}

/// Attributes of a user.
#[derive(Debug, Args)]
pub(crate) struct Person {
    /// name.givenName
    #[arg(long, value_name = "NAME")]
    given_name: Option<String>,
    /// name.familyName
    #[arg(long, value_name = "NAME")]
    family_name: Option<String>,
    /// displayName
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// The work e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// externalId
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    #[command(flatten)]
    attributes: Attributes,
}

impl Person {
    fn edits(self, user_name: Option<String>) -> Edits {
        self.attributes.with(vec![
            ("userName", user_name),
            ("name.givenName", self.given_name),
            ("name.familyName", self.family_name),
            ("displayName", self.display_name),
            ("emails[type eq \"work\"].value", self.email),
            ("externalId", self.external_id),
        ])
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let (engine, output) = (&session.engine, session.output);
    match command {
        Command::Show { user } => {
            let view = directory::show_user(engine, &tenant, &user).await?;
            let managers = Managers::load(engine, &tenant).await?;
            let manager = managers.of(&view.user.source);
            output.show(&view_as_json(&view, manager), || view_in_words(&view, manager))?;
        }
        Command::List(page) => list(session, &tenant, &page).await?,
        Command::Add { user_name, person } => {
            let user = directory::create_user(engine, &tenant, person.edits(Some(user_name))).await?;
            output.show(&as_json(&user), || format!("user '{}' is added ({})", user.user_name, user.id))?;
        }
        Command::Edit { user, user_name, person, agreement } => {
            if !may_change_user(session, &tenant, &user, Doing::Edit, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let edited = directory::edit_user(engine, &tenant, &user, person.edits(user_name)).await?;
            output.changed(edited.changed, &said(edited.changed, &edited.object, "is changed"))?;
        }
        Command::Deactivate { user, agreement } => {
            if !may_change_user(session, &tenant, &user, Doing::Deactivate, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let edited = directory::set_active(engine, &tenant, &user, false).await?;
            output.changed(edited.changed, &said(edited.changed, &edited.object, "is deactivated"))?;
        }
        Command::Reactivate { user, agreement } => {
            if !may_change_user(session, &tenant, &user, Doing::Reactivate, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let edited = directory::set_active(engine, &tenant, &user, true).await?;
            output.changed(edited.changed, &said(edited.changed, &edited.object, "is active"))?;
        }
        Command::Delete { user, agreement } => {
            if !may_change_user(session, &tenant, &user, Doing::Delete, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let user = directory::delete_user(engine, &tenant, &user).await?;
            let text = format!(
                "user '{}' is deleted; to bring it back: lockstep user restore {}",
                user.user_name, user.id
            );
            output.changed(true, &text)?;
        }
        Command::Merge(arguments) => return user_merge::run(session, &tenant, &arguments).await,
        Command::Report(arguments) => return user_report::run(session, &tenant, &arguments).await,
        Command::Restore { user, agreement } => {
            if !may_change_user(session, &tenant, &user, Doing::Restore, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let restored = directory::restore_user(engine, &tenant, &user).await?;
            let text = match (&restored.deleted_by, restored.changed) {
                (Some(connection), _) => format!(
                    "is back with its groups, inactive: the identity provider of '{connection}' had deleted it, and makes it \
                     active again; to do that here: lockstep user reactivate {} --yes",
                    restored.object.id
                ),
                (None, true) => "is back".to_owned(),
                (None, false) => "was not deleted".to_owned(),
            };
            output.changed(restored.changed, &format!("user '{}' {text}", restored.object.user_name))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, tenant: &TenantId, page: &ListArguments) -> Result<(), CliError> {
    let users = if page.deleted {
        directory::list_deleted_users(&session.engine, tenant, &page.after, page.limit).await?
    } else {
        directory::list_users(&session.engine, tenant, &page.after, page.limit).await?
    };
    let managers = Managers::load(&session.engine, tenant).await?;
    let marked = |user: &User| {
        let mut value = as_json(user);
        value["managed_by"] = managed::as_json(managers.of(&user.source));
        value
    };
    let values: Vec<Value> = users.iter().map(marked).collect();
    let mut header = vec!["userName", "displayName", "state", "externalId", "id"];
    if !managers.is_empty() {
        header.push("managed by");
    }
    let rows = users
        .iter()
        .map(|user| {
            let state = match user.deleted_ms {
                Some(deleted_ms) => format!("deleted {}", time(deleted_ms)),
                None => if user.active { "active" } else { "inactive" }.to_owned(),
            };
            let external_id = user.external_id.clone().unwrap_or_default();
            let mut row = vec![
                user.user_name.clone(),
                user.label().to_owned(),
                state,
                external_id,
                user.id.to_string(),
            ];
            if !managers.is_empty() {
                row.push(managed::in_list(managers.of(&user.source)));
            }
            row
        })
        .collect();
    session.output.list(&values, &header, rows)?;
    if let Some(last) = users.last().filter(|_| i64::try_from(users.len()) == Ok(page.limit)) {
        note(&format!("there may be more: lockstep user list{} --after {}", deleted(page), last.id));
    }
    Ok(())
}

/// The option that the page was asked for with.
pub(crate) fn deleted(page: &ListArguments) -> &'static str {
    if page.deleted { " --deleted" } else { "" }
}

fn said(changed: bool, user: &User, what: &str) -> String {
    if changed {
        format!("user '{}' {what}", user.user_name)
    } else {
        format!("user '{}' already was so", user.user_name)
    }
}

fn as_json(user: &User) -> Value {
    json!({"id": user.id.as_str(), "userName": user.user_name, "displayName": user.label(), "active": user.active,
        "externalId": user.external_id, "source": user.source, "version": user.version, "deleted_ms": user.deleted_ms})
}

fn view_as_json(view: &UserView, manager: Option<&Manager>) -> Value {
    let names = |groups: &[domain::directory::Group]| -> Vec<Value> {
        groups
            .iter()
            .map(|group| json!({"id": group.id.as_str(), "displayName": group.display_name}))
            .collect()
    };
    json!({"id": view.user.id.as_str(), "source": view.user.source, "managed_by": managed::as_json(manager), "version": view.user.version,
        "attributes": view.user.doc, "manager": view.manager.as_ref().map(as_json),
        "groups": names(&view.direct), "groups_with_nested": names(&view.effective)})
}

fn view_in_words(view: &UserView, manager: Option<&Manager>) -> String {
    let user = &view.user;
    let names = |groups: &[domain::directory::Group]| {
        let names: Vec<&str> = groups.iter().map(|group| group.display_name.as_str()).collect();
        if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
    };
    let source = match manager {
        Some(manager) => format!("{}: managed by {manager}", user.source),
        None => user.source.clone(),
    };
    let mut lines = pairs(&[
        ("userName", user.user_name.clone()),
        ("id", user.id.to_string()),
        ("state", if user.active { "active".into() } else { "inactive".into() }),
        ("source", source),
        (
            "manager",
            view.manager.as_ref().map_or_else(|| "(none)".into(), |manager| manager.label().to_owned()),
        ),
        ("groups", names(&view.direct)),
        ("with nested", names(&view.effective)),
    ]);
    let doc = serde_json::to_string_pretty(&user.doc).unwrap_or_default();
    lines.push_str(&format!("\nattributes\n{doc}"));
    lines
}
