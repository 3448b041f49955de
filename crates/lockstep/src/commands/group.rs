//! `group`: the groups of the directory and their members.

use clap::Subcommand;
use domain::directory::Group;
use domain::ids::TenantId;
use engine::directory::{self, GroupView, Manager, Managers};
use serde_json::{Value, json};

use super::edits::Attributes;
use super::managed::{self, Agreement, Doing, may_change_group};
use super::user::{ListArguments, deleted};
use crate::error_report::{CliError, Exit};
use crate::output::{note, pairs};
use crate::session::Session;

/// Show and change groups of the directory
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a group with its members
    #[command(after_help = "Example:\n  lockstep group show Engineering")]
    Show {
        /// id, externalId or displayName
        group: String,
        /// Members to show at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// List groups
    #[command(after_help = "Example:\n  lockstep group list")]
    List(ListArguments),
    /// Add a group by hand
    #[command(after_help = "Example:\n  lockstep group add 'Night shift'")]
    Add {
        /// The displayName
        display_name: String,
        /// externalId
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        #[command(flatten)]
        attributes: Attributes,
    },
    /// Rename a group or change its attributes
    #[command(after_help = "Example:\n  lockstep group edit 'Night shift' --display-name 'Late shift'")]
    Edit {
        /// id, externalId or displayName
        group: String,
        /// The new displayName
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        #[command(flatten)]
        attributes: Attributes,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Delete a group; its members stay users
    #[command(after_help = "Example:\n  lockstep group delete 'Night shift'")]
    Delete {
        /// id, externalId or displayName
        group: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Bring a deleted group back, with the members that it had
    #[command(after_help = "Example:\n  lockstep group restore 'Night shift'")]
    Restore {
        /// id, externalId or displayName of a deleted group
        group: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Add and remove members
    #[command(subcommand)]
    Member(MemberCommand),
}

/// Add and remove members
#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Make a user or a group a member
    #[command(after_help = "Example:\n  lockstep group member add Engineering ada@acme.example")]
    Add {
        /// id, externalId or displayName
        group: String,
        /// A user or a group
        member: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Take a direct member out
    #[command(after_help = "Example:\n  lockstep group member remove Engineering ada@acme.example")]
    Remove {
        /// id, externalId or displayName
        group: String,
        /// A user or a group
        member: String,
        #[command(flatten)]
        agreement: Agreement,
    },
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let (engine, output) = (&session.engine, session.output);
    match command {
        Command::Show { group, limit } => {
            let view = directory::show_group(engine, &tenant, &group, limit).await?;
            let managers = Managers::load(engine, &tenant).await?;
            let manager = managers.of(&view.group.source);
            output.show(&view_as_json(&view, manager), || view_in_words(&view, manager))?;
        }
        Command::List(page) => list(session, &tenant, &page).await?,
        Command::Add { display_name, external_id, attributes } => {
            let edits =
                attributes.with(vec![("displayName", Some(display_name)), ("externalId", external_id)]);
            let group = directory::create_group(engine, &tenant, edits).await?;
            output.show(&as_json(&group), || {
                format!("group '{}' is added ({})", group.display_name, group.id)
            })?;
        }
        Command::Edit { group, display_name, attributes, agreement } => {
            if !may_change_group(session, &tenant, &group, Doing::Edit, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let edits = attributes.with(vec![("displayName", display_name)]);
            let edited = directory::edit_group(engine, &tenant, &group, edits).await?;
            let what = if edited.changed { "is changed" } else { "already was so" };
            output.changed(edited.changed, &format!("group '{}' {what}", edited.object.display_name))?;
        }
        Command::Delete { group, agreement } => {
            if !may_change_group(session, &tenant, &group, Doing::Delete, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let group = directory::delete_group(engine, &tenant, &group).await?;
            let text = format!(
                "group '{}' is deleted; to bring it back: lockstep group restore {}",
                group.display_name, group.id
            );
            output.changed(true, &text)?;
        }
        Command::Restore { group, agreement } => {
            if !may_change_group(session, &tenant, &group, Doing::Restore, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let edited = directory::restore_group(engine, &tenant, &group).await?;
            let text = if edited.changed { "is back" } else { "was not deleted" };
            output.changed(edited.changed, &format!("group '{}' {text}", edited.object.display_name))?;
        }
        Command::Member(MemberCommand::Add { group, member, agreement }) => {
            if !may_change_group(session, &tenant, &group, Doing::Members, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let changed = directory::add_member(engine, &tenant, &group, &member).await?;
            let what = if changed { "is a member of" } else { "already was a member of" };
            output.changed(changed, &format!("'{member}' {what} '{group}'"))?;
        }
        Command::Member(MemberCommand::Remove { group, member, agreement }) => {
            if !may_change_group(session, &tenant, &group, Doing::Members, agreement).await? {
                return Ok(Exit::NeedsPerson);
            }
            let changed = directory::remove_member(engine, &tenant, &group, &member).await?;
            let what = if changed { "is no member any more of" } else { "was no direct member of" };
            output.changed(changed, &format!("'{member}' {what} '{group}'"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, tenant: &TenantId, page: &ListArguments) -> Result<(), CliError> {
    let groups = if page.deleted {
        directory::list_deleted_groups(&session.engine, tenant, &page.after, page.limit).await?
    } else {
        directory::list_groups(&session.engine, tenant, &page.after, page.limit).await?
    };
    let values: Vec<Value> = groups.iter().map(as_json).collect();
    let rows = groups
        .iter()
        .map(|group| {
            let external_id = group.external_id.clone().unwrap_or_default();
            vec![group.display_name.clone(), external_id, group.source.clone(), group.id.to_string()]
        })
        .collect();
    session.output.list(&values, &["displayName", "externalId", "source", "id"], rows)?;
    if let Some(last) = groups.last().filter(|_| i64::try_from(groups.len()) == Ok(page.limit)) {
        note(&format!("there may be more: lockstep group list{} --after {}", deleted(page), last.id));
    }
    Ok(())
}

fn as_json(group: &Group) -> Value {
    json!({"id": group.id.as_str(), "displayName": group.display_name, "externalId": group.external_id,
        "source": group.source, "version": group.version, "deleted_ms": group.deleted_ms})
}

fn view_as_json(view: &GroupView, manager: Option<&Manager>) -> Value {
    let users: Vec<Value> =
        view.users.iter().map(|user| json!({"id": user.id.as_str(), "userName": user.user_name})).collect();
    let groups = |groups: &[Group]| groups.iter().map(as_json).collect::<Vec<_>>();
    json!({"id": view.group.id.as_str(), "attributes": view.group.doc, "source": view.group.source,
        "managed_by": managed::as_json(manager),
        "users": users, "groups": groups(&view.groups), "more": view.more,
        "effective_users": view.effective_users, "inside": groups(&view.inside)})
}

fn view_in_words(view: &GroupView, manager: Option<&Manager>) -> String {
    let source = match manager {
        Some(manager) => format!("{}: managed by {manager}", view.group.source),
        None => view.group.source.clone(),
    };
    let names = |groups: &[Group]| {
        let names: Vec<&str> = groups.iter().map(|group| group.display_name.as_str()).collect();
        if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
    };
    let mut text = pairs(&[
        ("displayName", view.group.display_name.clone()),
        ("id", view.group.id.to_string()),
        ("source", source),
        ("users", format!("{}, nested ones included", view.effective_users)),
        ("nested groups", names(&view.groups)),
        ("inside", names(&view.inside)),
    ]);
    text.push_str("\ndirect members");
    for user in &view.users {
        text.push_str(&format!("\n  {}  {}", user.user_name, user.label()));
    }
    if view.more {
        text.push_str("\n  ... and more; show them with --limit");
    }
    text
}
