//! The end of the demo: why somebody waits, what the audit log says, and commands to go on with.

use engine::audit_log::EntryFilter;
use engine::why::why;
use engine::{audit_log, directory};

use super::acts::VICTIM;
use super::expected::EVERYONE;
use super::stage::{APP, Stage};
use crate::commands::{log, why as why_command};
use crate::environment;
use crate::error_report::CliError;
use crate::output::{line, table};

/// The leaver: inactive, still a member of his groups, as in many exports.
const LEAVER: &str = "M-0019";

/// Explains the membership of the leaver, and shows the audit lines of the repaired account.
pub(crate) async fn explain(stage: &Stage) -> Result<(), CliError> {
    let engine = &stage.session.engine;
    line("\n== Why is the leaver not in a group of the app?")?;
    line(&format!("$ lockstep why {LEAVER} --app {APP} --group '{EVERYONE}'"))?;
    let answer = why(engine, &stage.tenant, LEAVER, APP, Some(EVERYONE)).await?;
    line(&why_command::in_words(&answer))?;
    line("\n== What happened to the repaired account?")?;
    line(&format!("$ lockstep log audit --user \"{VICTIM}\""))?;
    let user = directory::show_user(engine, &stage.tenant, VICTIM).await?.user;
    let filter = EntryFilter { object: Some(user.id.to_string()), ..EntryFilter::default() };
    let entries = audit_log::list(engine, &stage.tenant, &filter, 8).await?;
    line(&table(&log::HEADER, entries.iter().map(log::row).collect()))?;
    let chain = audit_log::check(engine, &stage.tenant).await?;
    let verdict = chain.broken.clone().unwrap_or_else(|| "as they were sealed".into());
    line(&format!("$ lockstep log check\n{} entries: {verdict}", chain.checked))
}

/// Commands that can be pasted into a second terminal.
pub(crate) fn commands(stage: &Stage) -> Result<(), CliError> {
    let database = stage.folder.join("lockstep.db");
    let lockstep =
        format!("{} --database {}", quoted(&environment::program()), quoted(&database.display().to_string()));
    let url = stage.url();
    let edit = |body: &str| format!("curl -s -X POST {url}/_sim/edit -d '{body}'");
    let token = stage.folder.join("app.token").display().to_string();
    line("\nThe simulated app stays up. In a second terminal, for example:")?;
    for command in [
        format!("{lockstep} status"),
        format!("{lockstep} user deactivate M-0030"),
        format!("{lockstep} plan {APP}"),
        format!("{lockstep} sync"),
        format!("{lockstep} why M-0030 --app {APP}"),
        edit(r#"{"op":"rename-group","group":"Platform","displayName":"Renamed by hand"}"#),
        format!("{lockstep} app compare {APP}"),
        format!("{lockstep} sync"),
        format!("{lockstep} log audit --limit 10"),
        format!(
            "curl -s -H \"Authorization: Bearer $(cat {})\" '{url}/scim/v2/Users?count=1'",
            quoted(&token)
        ),
    ] {
        line(&format!("  {command}"))?;
    }
    line("\nCtrl-C ends it.")
}

/// Quoted for a shell where that is needed.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
