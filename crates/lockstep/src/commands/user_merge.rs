//! `user merge`: two records of one person become one, with a preview, and back.

use clap::Args;
use domain::directory::{Group, User};
use domain::ids::TenantId;
use engine::directory::{self, Merge, Unmerged};
use serde_json::{Value, json};

use super::confirm::{Question, agreed};
use crate::error_report::{CliError, Exit};
use crate::output::{line, printable};
use crate::session::Session;

/// Join two users that are one person
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep user merge ada@acme.example ada.old@acme.example --preview\n\n\
KEPT takes over the memberships and sign-in identities of GONE, and its externalId if it has none; GONE is deleted, or was deleted \
before. Everything else stays as it is. --undo puts both back for 30 days.")]
pub(crate) struct Arguments {
    /// Who stays: id, externalId or userName
    kept: String,
    /// Who goes: id, externalId or userName; may be deleted
    gone: String,
    /// Show every change and change nothing
    #[arg(long, conflicts_with = "undo")]
    preview: bool,
    /// Take the last merge of the two back
    #[arg(long)]
    undo: bool,
    /// Merge although one is inactive, or different connections manage the two
    #[arg(long, conflicts_with_all = ["preview", "undo"])]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    tenant: &TenantId,
    arguments: &Arguments,
) -> Result<Exit, CliError> {
    let Arguments { kept, gone, .. } = arguments;
    if arguments.undo {
        let back = directory::unmerge_users(&session.engine, tenant, kept, gone).await?;
        session.output.show(&unmerged_as_json(&back), || unmerged_in_words(&back))?;
        return Ok(if back.left.is_empty() { Exit::Done } else { Exit::NeedsPerson });
    }
    let found = directory::preview_merge(&session.engine, tenant, kept, gone).await?;
    if arguments.preview {
        session.output.show(&as_json(&found, false), || in_words(&found))?;
        return Ok(Exit::Done);
    }
    if !arguments.yes && !found.doubts.is_empty() {
        let command = format!("lockstep user merge {} {} --yes", found.kept.id, found.gone.id);
        let question = Question {
            undone: format!(
                "'{}' is not merged into '{}'",
                printable(&found.gone.user_name),
                printable(&found.kept.user_name)
            ),
            why: found.doubts.join("\n"),
            command: &command,
        };
        if !agreed(session, &question)? {
            return Ok(Exit::NeedsPerson);
        }
    }
    // The ids: what was shown and agreed to, whatever the names mean by now.
    let (kept, gone) = (found.kept.id.as_str(), found.gone.id.as_str());
    let done = directory::merge_users(&session.engine, tenant, kept, gone, true).await?;
    if session.output.is_json() {
        session.output.show(&as_json(&done, true), String::new)?;
    } else {
        line(&in_words(&done))?;
        line(&format!("done; to take it back within 30 days: lockstep user merge {kept} {gone} --undo"))?;
    }
    Ok(Exit::Done)
}

fn in_words(merge: &Merge) -> String {
    let (kept, gone) = (&merge.kept, &merge.gone);
    let mut lines = vec![format!("{} takes over from {}:", who(kept), who(gone))];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<14}{}", printable(&value)));
    row("joins", names(&merge.joins));
    if !merge.shared.is_empty() {
        row("both are in", names(&merge.shared));
    }
    let identities = &merge.record.identities;
    let identities: Vec<String> =
        identities.iter().map(|found| format!("{} of {}", found.subject, found.issuer)).collect();
    row("signs in as", if identities.is_empty() { "(nothing moves)".into() } else { identities.join(", ") });
    row(
        "externalId",
        match (&merge.record.external_id, &kept.external_id) {
            (Some(moved), _) => moved.clone(),
            (None, Some(own)) => format!("keeps {own}"),
            (None, None) => "(neither has one)".into(),
        },
    );
    row(
        "then",
        match merge.record.deleted {
            true => format!("'{}' is deleted", gone.user_name),
            false => format!("'{}' was deleted before", gone.user_name),
        },
    );
    for stays in &merge.stays {
        row("does not move", stays.clone());
    }
    for doubt in &merge.doubts {
        row("needs --yes", doubt.clone());
    }
    lines.join("\n")
}

fn who(user: &User) -> String {
    let state = match (user.deleted_ms, user.active) {
        (Some(_), _) => "deleted",
        (None, true) => "active",
        (None, false) => "inactive",
    };
    format!("'{}' ({state}, {}, {})", printable(&user.user_name), printable(&user.source), user.id)
}

fn names(groups: &[Group]) -> String {
    let names: Vec<&str> = groups.iter().map(|group| group.display_name.as_str()).collect();
    if names.is_empty() { "(no group)".into() } else { names.join(", ") }
}

fn as_json(merge: &Merge, done: bool) -> Value {
    let user = |user: &User| {
        json!({"id": user.id.as_str(), "userName": user.user_name, "active": user.active, "source": user.source,
            "deleted_ms": user.deleted_ms})
    };
    let groups = |groups: &[Group]| -> Vec<Value> {
        let shown = |group: &Group| json!({"id": group.id.as_str(), "displayName": group.display_name});
        groups.iter().map(shown).collect()
    };
    json!({"done": done, "kept": user(&merge.kept), "gone": user(&merge.gone), "joins": groups(&merge.joins),
        "shared": groups(&merge.shared), "identities": merge.record.identities, "externalId": merge.record.external_id,
        "deletes": merge.record.deleted, "stays": merge.stays, "needs_yes": merge.doubts})
}

fn unmerged_in_words(back: &Unmerged) -> String {
    let mut lines = vec![format!("{} and {} are two users again", who(&back.kept), who(&back.gone))];
    lines.extend(back.left.iter().map(|left| format!("  not put back: {}", printable(left))));
    lines.join("\n")
}

fn unmerged_as_json(back: &Unmerged) -> Value {
    json!({"kept": back.kept.id.as_str(), "gone": back.gone.id.as_str(), "active": back.gone.active,
        "deleted": back.gone.deleted_ms.is_some(), "left": back.left})
}
