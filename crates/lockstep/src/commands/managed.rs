//! Users and groups that a connection manages: marked where they are shown, and changed elsewhere only after a warning.

use clap::Args;
use domain::ids::TenantId;
use engine::directory::{Managed, Manager, managed_group, managed_user};
use serde_json::{Value, json};

use super::confirm::{Question, agreed};
use crate::error_report::CliError;
use crate::output::printable;
use crate::session::Session;

/// The yes to a change that somebody else may undo.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Agreement {
    /// Go on although a connection manages it
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What is about to be done.
#[derive(Clone, Copy)]
pub(crate) enum Doing {
    /// Attributes.
    Edit,
    /// `active`.
    Deactivate,
    /// `active`.
    Reactivate,
    /// The whole object.
    Delete,
    /// The whole object.
    Restore,
    /// A group's members.
    Members,
}

impl Doing {
    fn participle(self) -> &'static str {
        match self {
            Doing::Edit => "changed",
            Doing::Deactivate => "deactivated",
            Doing::Reactivate => "reactivated",
            Doing::Delete => "deleted",
            Doing::Restore => "restored",
            Doing::Members => "changed in its members",
        }
    }

    /// What comes of it where the identity provider does not know.
    fn consequence(self, provider: &str) -> String {
        match self {
            Doing::Delete => {
                format!("{provider} is not told, goes on writing to the deleted id, and is refused")
            }
            Doing::Restore => format!("{provider} may not know that it is back, and leaves it as it is"),
            _ => format!("{provider} is not told, and may undo it with its next write"),
        }
    }
}

/// Whether a user may be changed here: nobody else manages it, or somebody agrees.
pub(crate) async fn may_change_user(
    session: &Session,
    tenant: &TenantId,
    reference: &str,
    doing: Doing,
    agreement: Agreement,
) -> Result<bool, CliError> {
    if agreement.yes {
        return Ok(true);
    }
    let managed = managed_user(&session.engine, tenant, reference).await?;
    ask(session, "user", managed, doing)
}

/// Whether a group may be changed here.
pub(crate) async fn may_change_group(
    session: &Session,
    tenant: &TenantId,
    reference: &str,
    doing: Doing,
    agreement: Agreement,
) -> Result<bool, CliError> {
    if agreement.yes {
        return Ok(true);
    }
    let managed = managed_group(&session.engine, tenant, reference).await?;
    ask(session, "group", managed, doing)
}

fn ask(session: &Session, kind: &str, managed: Option<Managed>, doing: Doing) -> Result<bool, CliError> {
    let Some(managed) = managed else { return Ok(true) };
    let (name, provider) = (printable(&managed.name), managed.by.provider.title());
    let command = match doing {
        Doing::Edit | Doing::Members => "the same command with --yes".to_owned(),
        Doing::Deactivate => format!("lockstep {kind} deactivate {} --yes", managed.id),
        Doing::Reactivate => format!("lockstep {kind} reactivate {} --yes", managed.id),
        Doing::Delete => format!("lockstep {kind} delete {} --yes", managed.id),
        Doing::Restore => format!("lockstep {kind} restore {} --yes", managed.id),
    };
    let next = format!("do it in {provider}; or, if it is meant here: {command}");
    let question = Question {
        undone: format!("{kind} '{name}' is not {}", doing.participle()),
        why: format!("it is managed by {}: {}", managed.by, doing.consequence(provider)),
        command: &next,
    };
    agreed(session, &question)
}

/// The mark for programs.
pub(crate) fn as_json(manager: Option<&Manager>) -> Value {
    manager.map_or(Value::Null, |by| json!({"connection": by.connection, "provider": by.provider.as_str()}))
}

/// The mark in a list.
pub(crate) fn in_list(manager: Option<&Manager>) -> String {
    manager.map_or_else(String::new, ToString::to_string)
}
