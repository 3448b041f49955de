//! What a plan begins with, and what must hold before a request is announced or its outcome is recorded: one statement each.

use domain::directory::User;
use domain::ids::{AppId, IntentId, Subject, TenantId};
use domain::snapshot::{Link, LinkState, MarkView, OpenIntent};

use super::user::{in_32, in_chunks_and};
use super::{link, mark, user};
use crate::{StoreError, Tx, Value, statement};

statement!(
    BEFORE_PLAN,
    concat!(
        "SELECT u.id, u.external_id, u.user_name, u.active, u.source, u.doc, u.version, u.deleted_ms,
           m.generation, m.wave, m.state, m.verify_ms, m.attempts, m.look_again_ms,
           l.state, l.remote_id, l.generation, l.acknowledged, l.normal, l.observed, l.confirmed_ms,
           i.id, i.kind, COALESCE(i.settled_ms, i.sent_ms),
           EXISTS (SELECT 1 FROM intent t WHERE t.tenant = u.tenant AND t.app = $34 AND t.subject = u.id)
         FROM usr u
         LEFT JOIN mark m ON m.tenant = u.tenant AND m.app = $34 AND m.subject = u.id
         LEFT JOIN link l ON l.tenant = u.tenant AND l.app = $34 AND l.subject = u.id
         LEFT JOIN intent i ON i.tenant = u.tenant AND i.app = $34 AND i.subject = u.id AND i.state IN ('open', 'unknown')
         WHERE u.tenant = $1 AND u.id IN ",
        in_32!()
    )
);
statement!(
    BEFORE_INTENT,
    "SELECT lane.fence, a.version, m.generation, m.wave, m.state, m.verify_ms, m.attempts, m.look_again_ms, l.generation, l.state
     FROM lane
     LEFT JOIN app a ON a.tenant = lane.tenant AND a.id = lane.app
     LEFT JOIN mark m ON m.tenant = lane.tenant AND m.app = lane.app AND m.subject = $3
     LEFT JOIN link l ON l.tenant = lane.tenant AND l.app = lane.app AND l.subject = $3
     WHERE lane.tenant = $1 AND lane.app = $2"
);
statement!(
    BEFORE_OUTCOME,
    "SELECT lane.fence, o.kind, o.subject, o.state,
       EXISTS (SELECT 1 FROM task t WHERE t.tenant = $1 AND t.app = $2 AND t.subject = $3 AND t.closed_ms IS NULL),
       EXISTS (SELECT 1 FROM mark w WHERE w.tenant = $1 AND w.app = $2 AND w.waits_on = $3),
       m.generation, m.wave, m.state, m.verify_ms, m.attempts, m.look_again_ms,
       l.state, l.remote_id, l.generation, l.acknowledged, l.normal, l.observed, l.confirmed_ms
     FROM lane
     LEFT JOIN link o ON o.tenant = lane.tenant AND o.app = lane.app AND o.kind = $4 AND o.remote_id = $5 AND o.state <> 'lost'
     LEFT JOIN mark m ON m.tenant = lane.tenant AND m.app = lane.app AND m.subject = $3
     LEFT JOIN link l ON l.tenant = lane.tenant AND l.app = lane.app AND l.subject = $3
     WHERE lane.tenant = $1 AND lane.app = $2"
);

/// A user and what is known of her in an app.
#[derive(Clone, Debug, PartialEq)]
pub struct BeforePlan {
    /// The user, also a deleted one.
    pub user: User,
    /// Her mark.
    pub mark: Option<MarkView>,
    /// Her link.
    pub link: Option<Link>,
    /// Her intent whose outcome is not recorded.
    pub intent: Option<OpenIntent>,
    /// A request was announced for her at some time.
    pub tried: bool,
}

/// What an intent is checked against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeforeIntent {
    /// Number of the lane's present owner; 0: nobody ever owned it.
    pub fence: i64,
    /// Version of the app, where it exists.
    pub app_version: Option<i64>,
    /// The subject's mark.
    pub mark: Option<MarkView>,
    /// Generation and state of its link.
    pub link: Option<(i64, LinkState)>,
}

/// What an outcome is checked against and changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeforeOutcome {
    /// Number of the lane's present owner; 0: nobody ever owned it.
    pub fence: i64,
    /// Who is tied to the remote object that the outcome names (tombstones included, lost links not).
    pub owner: Option<(Subject, LinkState)>,
    /// The subject has an open task.
    pub has_task: bool,
    /// Another mark waits for the subject.
    pub awaited: bool,
    /// The subject's mark.
    pub mark: Option<MarkView>,
    /// Its link.
    pub link: Option<Link>,
}

/// Reads what the plans of these users begin with, in no order; unknown ones are left out.
pub fn before_plan(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    users: &[&str],
) -> Result<Vec<BeforePlan>, StoreError> {
    in_chunks_and(tx, &BEFORE_PLAN, tenant, users, &[app.as_str().into()], |row| {
        let intent = row.opt_text(21)?.map(|id| -> Result<OpenIntent, StoreError> {
            Ok(OpenIntent { id: IntentId::new(id), kind: row.text(22)?, sent_ms: row.int(23)? })
        });
        Ok(BeforePlan {
            user: user::read_user(row)?,
            mark: mark::read_view(row, 8)?,
            link: row.opt_text(14)?.map(|_| link::read(row, 14)).transpose()?,
            intent: intent.transpose()?,
            tried: row.bool(24)?,
        })
    })
}

/// Reads what an intent is checked against.
pub fn before_intent(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<BeforeIntent, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), subject.into()];
    let found = tx.optional(&BEFORE_INTENT, &params, |row| {
        Ok(BeforeIntent {
            fence: row.int(0)?,
            app_version: row.opt_int(1)?,
            mark: mark::read_view(row, 2)?,
            link: row.opt_int(8)?.zip(row.opt_text(9)?.map(|state| LinkState::parse(&state))),
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Reads what an outcome is checked against; `remote_id`: the object that it names.
pub fn before_outcome(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &Subject,
    remote_id: Option<&str>,
) -> Result<BeforeOutcome, StoreError> {
    let params: [Value; 5] = [
        tenant.as_str().into(),
        app.as_str().into(),
        subject.id().into(),
        subject.kind().into(),
        remote_id.into(),
    ];
    let found = tx.optional(&BEFORE_OUTCOME, &params, |row| {
        Ok(BeforeOutcome {
            fence: row.int(0)?,
            owner: match (row.opt_text(1)?, row.opt_text(2)?, row.opt_text(3)?) {
                (Some(kind), Some(id), Some(state)) => {
                    Some((Subject::from_parts(&kind, id), LinkState::parse(&state)))
                }
                _ => None,
            },
            has_task: row.bool(4)?,
            awaited: row.bool(5)?,
            mark: mark::read_view(row, 6)?,
            link: row.opt_text(12)?.map(|_| link::read(row, 12)).transpose()?,
        })
    })?;
    Ok(found.unwrap_or_default())
}
