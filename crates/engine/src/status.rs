//! Where everything stands: directory, apps, queues, tasks.

use std::collections::BTreeMap;

use domain::app::AppState;
use domain::ids::TenantId;
use domain::token::{Expiry, expiry};
use serde::Serialize;
use store::repo::{app, change, connection, edge, group, lane, link, mark, member, seat, task, token, user};

use crate::context::Engine;
use crate::error::EngineError;

/// A tenant's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Users of the directory.
    pub users: i64,
    /// Groups of the directory.
    pub groups: i64,
    /// Direct memberships.
    pub members: i64,
    /// Changes that are not yet spread over the apps.
    pub changes_to_spread: i64,
    /// The apps.
    pub apps: Vec<AppStatus>,
    /// Connections that push in.
    pub connections: usize,
    /// The limit on active users, if there is one, and how many there are.
    pub seats: Option<SeatsStatus>,
    /// Working tokens that expire within 30 days, the next one first.
    pub tokens_expiring: Vec<ExpiringToken>,
}

/// A limit on active users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeatsStatus {
    /// The limit.
    pub limit: i64,
    /// Active users.
    pub used: i64,
}

/// A token that expires soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpiringToken {
    /// Its public part.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When, Unix milliseconds.
    pub expires_ms: i64,
    /// How soon, in words.
    pub warning: String,
}

/// An app's figures.
#[derive(Clone, Debug, Serialize)]
pub struct AppStatus {
    /// Its name.
    pub name: String,
    /// Preview, active or paused.
    pub state: AppState,
    /// Links by kind and state, for example `user live`.
    pub links: BTreeMap<String, i64>,
    /// Memberships that the app holds.
    pub memberships: i64,
    /// Memberships that wait for something.
    pub memberships_waiting: i64,
    /// The queue by state.
    pub queue: BTreeMap<String, i64>,
    /// Open tasks.
    pub tasks: i64,
    /// Why the queue is held, if it is.
    pub held: Option<String>,
    /// When the next thing is due, Unix milliseconds.
    pub next_due_ms: Option<i64>,
}

/// Reads a tenant's figures in one snapshot.
pub async fn status(engine: &Engine, tenant: &TenantId) -> Result<Status, EngineError> {
    let (tenant, now_ms) = (tenant.clone(), engine.env.now_ms());
    engine
        .read(move |tx| {
            let mut apps = vec![];
            for found in app::list(tx, &tenant)? {
                let id = &found.id;
                let links = link::count_by_state(tx, &tenant, id)?;
                let (memberships_waiting, memberships) = edge::totals(tx, &tenant, id)?;
                apps.push(AppStatus {
                    links: links
                        .into_iter()
                        .map(|(kind, state, n)| (format!("{kind} {}", state.as_str()), n))
                        .collect(),
                    memberships,
                    memberships_waiting,
                    queue: mark::count_by_state(tx, &tenant, id)?.into_iter().collect(),
                    tasks: task::count(tx, &tenant, id)?,
                    held: lane::get(tx, &tenant, id)?.and_then(|lane| lane.held_cause),
                    next_due_ms: mark::next_due(tx, &tenant, id)?,
                    name: found.name,
                    state: found.state,
                });
            }
            Ok(Status {
                users: user::count(tx, &tenant)?,
                groups: group::count(tx, &tenant)?,
                members: member::count(tx, &tenant)?,
                changes_to_spread: change::count(tx, &tenant)?,
                apps,
                connections: connection::list(tx, &tenant)?.len(),
                seats: seat::get(tx, &tenant)?
                    .map(|seats| SeatsStatus { limit: seats.limit, used: seats.used }),
                tokens_expiring: expiring(token::list(tx, &tenant)?, now_ms),
            })
        })
        .await
}

fn expiring(tokens: Vec<token::Token>, now_ms: i64) -> Vec<ExpiringToken> {
    let mut soon: Vec<ExpiringToken> = tokens
        .into_iter()
        .filter(|token| token.revoked_ms.is_none())
        .filter_map(|token| {
            let warning = expiry(token.expires_ms, now_ms).filter(|end| *end != Expiry::Expired)?.to_string();
            let (id, name) = (token.id.to_string(), token.name);
            Some(ExpiringToken { id, name, expires_ms: token.expires_ms?, warning })
        })
        .collect();
    soon.sort_by(|a, b| (a.expires_ms, &a.id).cmp(&(b.expires_ms, &b.id)));
    soon
}
