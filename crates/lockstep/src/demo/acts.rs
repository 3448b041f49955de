//! Three situations that break ordinary provisioning, acted out on the live app: what was done, found, repaired, proven.

use engine::compare::Comparison;
use engine::directory::{self, Edits};
use simapp::{Fault, SeenRequest};

use super::expected::EVERYONE;
use super::read_back::Held;
use super::stage::{APP, Stage, show_differences};
use crate::commands::app_show;
use crate::error_report::CliError;
use crate::output::{count, line};

/// The new user of the first act.
const JOINER: &str = "nova.reyes@meridian.example";
/// The group that disappears in the second.
const GROUP: &str = "Engineering";
/// The account that disappears in the third: one with several memberships.
pub(crate) const VICTIM: &str = "tom.o'brien@meridian.example";

/// s01: a new user is assigned through a group that is pushed too, and the app's reads lag behind. The account must be
/// there before the membership is sent.
pub(crate) async fn joiner(stage: &mut Stage) -> Result<bool, CliError> {
    line("\n== 1. A new user in a group that both assigns and is pushed")?;
    line(
        "The app's reads are 300 ms behind from now on: what was just created looks as if it were not there.",
    )?;
    let lag = Fault::parse("lag=300").expect("the catalogue of faults has lag");
    stage.simulated().add_fault(lag);
    let edits = Edits {
        set: [
            ("userName", JOINER),
            ("name.givenName", "Nova"),
            ("name.familyName", "Reyes"),
            ("displayName", "Nova Reyes"),
            ("emails[type eq \"work\"].value", JOINER),
        ]
        .map(|(path, value)| (path.to_owned(), value.to_owned()))
        .into(),
        unset: vec![],
    };
    directory::create_user(&stage.session.engine, &stage.tenant, edits).await?;
    directory::add_member(&stage.session.engine, &stage.tenant, EVERYONE, JOINER).await?;
    line(&format!("done:     added {JOINER} and made her a member of '{EVERYONE}'"))?;
    let before = stage.simulated().recent_requests().count();
    stage.sync("sync").await?;
    let writes = writes_since(stage, before);
    for (number, write) in writes.iter().enumerate() {
        let what = if write.path.contains("/Users") { "her account" } else { "her membership" };
        line(&format!(
            "request {}: {} {} -> {}  ({what})",
            number + 1,
            write.method,
            path(write),
            status(write)
        ))?;
    }
    stage.simulated().remove_fault("lag").map_err(|error| CliError::new("demo", error.to_string()))?;
    let held = stage.read_back().await?;
    let (account, member) = (held.accounts.contains_key(JOINER), is_member(&held, EVERYONE, JOINER));
    let order = match (position(&writes, "/Users"), position(&writes, "/Groups/")) {
        (Some(account), Some(membership)) => account < membership,
        _ => false,
    };
    let clean = writes.iter().all(|write| write.committed);
    let duplicates = held.duplicates.is_empty();
    line(&format!(
        "proof:    account there: {}, account before membership: {}, member of '{EVERYONE}': {}, refused requests: {}",
        yes(account),
        yes(order),
        yes(member),
        writes.iter().filter(|write| !write.committed).count()
    ))?;
    Ok(account && order && member && clean && duplicates)
}

/// s09: a push group is deleted by hand in the app.
pub(crate) async fn deleted_group(stage: &mut Stage) -> Result<bool, CliError> {
    line("\n== 2. A pushed group is deleted by hand in the app")?;
    let before = stage.read_back().await?;
    let members = before.groups.get(GROUP).map_or(0, std::collections::BTreeSet::len);
    let now_ms = stage.session.engine.env.now_ms();
    stage
        .simulated()
        .delete_group(GROUP, now_ms)
        .map_err(|error| CliError::new("demo", error.to_string()))?;
    line(&format!("done:     somebody deleted '{GROUP}' with its {members} members in the app"))?;
    let found = stage.compare().await?;
    say_found(stage, &found).await?;
    let report = stage.sync("repair").await?;
    let after = stage.read_back().await?;
    let members = after.groups.get(GROUP).map_or(0, std::collections::BTreeSet::len);
    line(&format!(
        "repaired: '{GROUP}' was created again with {members} members, {} requests",
        report.requests
    ))?;
    prove_equal(
        &before,
        &after,
        found.findings.iter().any(|difference| difference.kind == "missing" && difference.subject == "group"),
    )
}

/// s15: an account is deleted by hand in the app; its memberships go with it.
pub(crate) async fn deleted_user(stage: &mut Stage) -> Result<bool, CliError> {
    line("\n== 3. An account is deleted by hand in the app")?;
    let before = stage.read_back().await?;
    let groups = before.groups.values().filter(|members| members.contains(VICTIM)).count();
    let now_ms = stage.session.engine.env.now_ms();
    stage
        .simulated()
        .delete_user(VICTIM, now_ms)
        .map_err(|error| CliError::new("demo", error.to_string()))?;
    line(&format!("done:     somebody deleted {VICTIM} in the app; the {groups} memberships went too"))?;
    let found = stage.compare().await?;
    say_found(stage, &found).await?;
    let report = stage.sync("repair").await?;
    let after = stage.read_back().await?;
    let again = after.groups.values().filter(|members| members.contains(VICTIM)).count();
    line(&format!(
        "repaired: the account was created again and is in {again} groups, {} requests",
        report.requests
    ))?;
    prove_equal(
        &before,
        &after,
        found.findings.iter().any(|difference| difference.kind == "missing" && difference.subject == "user"),
    )
}

async fn say_found(stage: &Stage, found: &Comparison) -> Result<(), CliError> {
    let names = app_show::names(&stage.session, &stage.tenant, &found.findings).await?;
    let shown: Vec<String> = found
        .findings
        .iter()
        .zip(&names)
        .take(6)
        .map(|(difference, name)| {
            format!("{} {name} ({})", difference.subject, difference.kind.replace('_', " "))
        })
        .collect();
    let complete = found.users.as_ref().is_some_and(|proof| proof.complete)
        && found.groups.as_ref().is_some_and(|proof| proof.complete);
    let more = if found.findings.len() > shown.len() { ", ..." } else { "" };
    line(&format!(
        "found:    by 'app compare {APP}' (read to the end: {}): {}: {}{more}",
        yes(complete),
        count(found.findings.len(), "difference", "differences"),
        shown.join(", ")
    ))
}

/// The app holds what it held before the edit by hand, by names.
fn prove_equal(before: &Held, after: &Held, was_found: bool) -> Result<bool, CliError> {
    let mut differences = vec![];
    for (name, account) in &before.accounts {
        if after.accounts.get(name) != Some(account) {
            differences.push(format!("account {name}"));
        }
    }
    for (name, members) in &before.groups {
        if after.groups.get(name) != Some(members) {
            differences.push(format!("group {name}"));
        }
    }
    if before.accounts.len() != after.accounts.len() || before.groups.len() != after.groups.len() {
        differences.push("surplus objects".into());
    }
    differences.extend(after.duplicates.iter().map(|name| format!("{name} is there twice")));
    line(&format!(
        "proof:    read back over plain HTTP and compared with before: {} differences in {} accounts, {} groups, {} memberships",
        differences.len(),
        after.accounts.len(),
        after.groups.len(),
        after.memberships()
    ))?;
    show_differences(&differences)?;
    Ok(differences.is_empty() && was_found)
}

fn writes_since(stage: &Stage, before: usize) -> Vec<SeenRequest> {
    let simulated = stage.simulated();
    simulated.recent_requests().skip(before).filter(|request| request.method != "GET").cloned().collect()
}

fn position(writes: &[SeenRequest], part: &str) -> Option<usize> {
    writes.iter().position(|write| write.path.contains(part))
}

fn path(write: &SeenRequest) -> &str {
    write.path.split('?').next().unwrap_or_default()
}

fn status(write: &SeenRequest) -> String {
    write.status.map_or_else(|| "no answer".into(), |status| status.to_string())
}

fn is_member(held: &Held, group: &str, user: &str) -> bool {
    held.groups.get(group).is_some_and(|members| members.contains(user))
}

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "NO" }
}
