//! Links between subjects and remote objects, and the keys that they hold in an app.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AppId, Subject, TenantId};
use domain::mapping::Attributes;
use domain::plan::Key;
use domain::snapshot::{KeyHolder, Link, LinkState};

use super::user::{in_32, in_chunks, in_chunks_and};
use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    GET,
    "SELECT state, remote_id, generation, acknowledged, normal, observed, confirmed_ms FROM link
      WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(
    PUT,
    "INSERT INTO link(tenant, app, subject, kind, state, remote_id, generation, acknowledged, normal, observed, confirmed_ms)
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)
     ON CONFLICT (tenant, app, subject) DO UPDATE SET state = excluded.state, remote_id = excluded.remote_id,
       generation = link.generation + 1, acknowledged = excluded.acknowledged, normal = excluded.normal,
       observed = excluded.observed, confirmed_ms = excluded.confirmed_ms"
);
statement!(
    OWNER,
    "SELECT kind, subject, state FROM link WHERE tenant = $1 AND app = $2 AND kind = $3 AND remote_id = $4 AND state <> 'lost'"
);
statement!(
    RELEASE_TOMBSTONE,
    "UPDATE link SET state = 'lost', generation = generation + 1 WHERE tenant = $1 AND app = $2 AND kind = $3
       AND remote_id = $4 AND remote_id IS NOT NULL AND state <> 'lost' AND state = 'tombstone' AND subject <> $5"
);
statement!(
    PAGE,
    "SELECT subject, state, remote_id, generation, acknowledged, normal, observed, confirmed_ms FROM link
      WHERE tenant = $1 AND app = $2 AND kind = $3 AND subject > $4 ORDER BY subject LIMIT $5"
);
statement!(
    COUNT_BY_STATE,
    "SELECT kind, state, COUNT(*) FROM link WHERE tenant = $1 AND app = $2 GROUP BY kind, state ORDER BY kind, state"
);
statement!(
    COUNT_LIVE,
    "SELECT COUNT(*) FROM (
       SELECT 1 FROM link WHERE tenant = $1 AND app = $2 AND kind = 'user' AND state = 'live' LIMIT $3) AS counted"
);
// Written so that the index of remote ids serves it: the groups of the app are read, not its users.
statement!(
    GROUP_LEFT_SINCE,
    "SELECT 1 FROM link WHERE tenant = $1 AND app = $2 AND kind = 'group' AND remote_id IS NOT NULL AND state <> 'lost'
       AND state IN ('tombstone', 'unmanaged') AND confirmed_ms >= $3 LIMIT 1"
);
statement!(LINKED_APPS, "SELECT app FROM link WHERE tenant = $1 AND subject = $2");
statement!(LINKED_APPS_OF_ONE, "SELECT subject, app FROM link WHERE tenant = $1 AND subject = $2");
statement!(
    LINKED_APPS_OF,
    concat!("SELECT subject, app FROM link WHERE tenant = $1 AND subject IN ", in_32!())
);
statement!(
    KEY_RESERVE,
    "INSERT INTO link_key(tenant, app, attribute, value_key, subject) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, app, attribute, value_key) DO NOTHING"
);
statement!(
    KEY_HOLDER,
    "SELECT 1 FROM link_key WHERE tenant = $1 AND app = $2 AND attribute = $3 AND value_key = $4 AND subject <> $5"
);
statement!(
    KEY_HOLDERS,
    concat!(
        "SELECT k.value_key, k.subject, m.waits_on, COALESCE(m.state = 'parked', l.state <> 'live', TRUE) FROM link_key k
           LEFT JOIN mark m ON m.tenant = k.tenant AND m.app = k.app AND m.subject = k.subject
           LEFT JOIN link l ON l.tenant = k.tenant AND l.app = k.app AND l.subject = k.subject
          WHERE k.tenant = $1 AND k.app = $34 AND k.attribute = $35 AND k.value_key IN ",
        in_32!()
    )
);
statement!(
    KEYS_OF,
    "SELECT attribute, value_key FROM link_key WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(
    KEY_DROP,
    "DELETE FROM link_key WHERE tenant = $1 AND app = $2 AND subject = $3 AND attribute = $4 AND value_key = $5"
);

/// The link of a subject in an app.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<Option<Link>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), app.as_str().into(), subject.into()], |row| read(row, 0))
}

/// Writes a link; its generation rises. A remote object that another subject is tied to is a conflict on `remote_id`.
pub fn put(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &Subject,
    link: &Link,
) -> Result<(), StoreError> {
    let params: [Value; 10] = [
        tenant.as_str().into(),
        app.as_str().into(),
        subject.id().into(),
        subject.kind().into(),
        link.state.as_str().into(),
        link.remote_id.clone().into(),
        text(&link.acknowledged).into(),
        text(&link.normal).into(),
        text(&link.observed).into(),
        link.confirmed_ms.into(),
    ];
    tx.exec(&PUT, &params).map(drop)
}

/// Who is tied to a remote object (tombstones included, lost links not), and in which state.
pub fn owner(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    kind: &str,
    remote_id: &str,
) -> Result<Option<(Subject, LinkState)>, StoreError> {
    tx.optional(
        &OWNER,
        &[tenant.as_str().into(), app.as_str().into(), kind.into(), remote_id.into()],
        |row| Ok((Subject::from_parts(&row.text(0)?, row.text(1)?), LinkState::parse(&row.text(2)?))),
    )
}

/// Takes a remote object away from another subject's tombstone, so that it can be linked again.
pub fn release_tombstone(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &Subject,
    remote_id: &str,
) -> Result<bool, StoreError> {
    let params = [
        tenant.as_str().into(),
        app.as_str().into(),
        subject.kind().into(),
        remote_id.into(),
        subject.id().into(),
    ];
    Ok(tx.exec(&RELEASE_TOMBSTONE, &params)? == 1)
}

/// Links of one kind (`user` or `group`) after a subject, in the order of subjects.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    kind: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(Subject, Link)>, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), kind.into(), after.into(), limit.into()];
    tx.rows(&PAGE, &params, |row| Ok((Subject::from_parts(kind, row.text(0)?), read(row, 1)?)))
}

/// How many links there are, by kind and state.
pub fn count_by_state(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
) -> Result<Vec<(String, LinkState, i64)>, StoreError> {
    tx.rows(&COUNT_BY_STATE, &[tenant.as_str().into(), app.as_str().into()], |row| {
        Ok((row.text(0)?, LinkState::parse(&row.text(1)?), row.int(2)?))
    })
}

/// Live accounts: what the guard's percentage is of; counted up to `limit`.
pub fn count_live(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, limit: i64) -> Result<i64, StoreError> {
    tx.one(&COUNT_LIVE, &[tenant.as_str().into(), app.as_str().into(), limit.into()], |row| row.int(0))
}

/// Apps in which a subject has a link in any state.
pub fn linked_apps(tx: &mut Tx<'_>, tenant: &TenantId, subject: &str) -> Result<Vec<AppId>, StoreError> {
    let mut apps =
        tx.rows(&LINKED_APPS, &[tenant.as_str().into(), subject.into()], |row| row.text(0).map(AppId::new))?;
    apps.sort();
    Ok(apps)
}

/// Apps in which these subjects have links in any state, by subject.
pub fn linked_apps_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    subjects: &[&str],
) -> Result<BTreeMap<String, Vec<AppId>>, StoreError> {
    let rows = in_chunks(tx, (&LINKED_APPS_OF_ONE, &LINKED_APPS_OF), tenant, subjects, |row| {
        Ok((row.text(0)?, row.text(1)?))
    })?;
    let mut apps: BTreeMap<String, Vec<AppId>> = BTreeMap::new();
    for (subject, app) in rows {
        apps.entry(subject).or_default().push(AppId::new(app));
    }
    Ok(apps)
}

/// Who holds these keys in the app, whoever that is; `waits_for_us` is filled by the caller, who gets the subject that each
/// holder waits for.
pub fn key_holders(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    keys: &[&Key],
) -> Result<Vec<(KeyHolder, Option<String>)>, StoreError> {
    let attributes: BTreeSet<&str> = keys.iter().map(|key| key.attribute.as_str()).collect();
    let mut holders = vec![];
    for attribute in attributes {
        let wanted = keys.iter().filter(|key| key.attribute == attribute);
        let wanted: Vec<&str> = wanted.map(|key| key.value_key.as_str()).collect();
        let more = [app.as_str().into(), attribute.into()];
        holders.extend(in_chunks_and(tx, &KEY_HOLDERS, tenant, &wanted, &more, |row| {
            let holder = KeyHolder {
                attribute: attribute.to_owned(),
                value_key: row.text(0)?,
                subject: Subject::from_parts("user", row.text(1)?),
                waits_for_us: false,
                keeps_it: row.bool(3)?,
            };
            Ok((holder, row.opt_text(2)?))
        })?);
    }
    Ok(holders)
}

/// True if a group has left the app, or our care, at or after a time: the place that it had may be free.
pub fn group_left_since(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    since_ms: i64,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), since_ms.into()];
    Ok(tx.optional(&GROUP_LEFT_SINCE, &params, |_| Ok(()))?.is_some())
}

/// True if `holder` (still) holds the key in the app.
pub fn holds_key(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    holder: &str,
    key: &Key,
) -> Result<bool, StoreError> {
    let held = tx.rows(&KEYS_OF, &[tenant.as_str().into(), app.as_str().into(), holder.into()], |row| {
        Ok(Key { attribute: row.text(0)?, value_key: row.text(1)? })
    })?;
    Ok(held.contains(key))
}

/// Reserves keys before they are sent; false: one of them is another subject's.
pub fn reserve_keys(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    keys: &[Key],
) -> Result<bool, StoreError> {
    for key in keys {
        let mut params: Vec<Value> = vec![
            tenant.as_str().into(),
            app.as_str().into(),
            key.attribute.as_str().into(),
            key.value_key.as_str().into(),
            subject.into(),
        ];
        if tx.exec(&KEY_RESERVE, &params)? == 0 {
            params.truncate(4);
            params.push(subject.into());
            if tx.optional(&KEY_HOLDER, &params, |_| Ok(()))?.is_some() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Makes `keys` the only ones that the subject holds; true if one was released.
pub fn keep_keys(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    keys: &[Key],
) -> Result<bool, StoreError> {
    let held = tx.rows(&KEYS_OF, &[tenant.as_str().into(), app.as_str().into(), subject.into()], |row| {
        Ok(Key { attribute: row.text(0)?, value_key: row.text(1)? })
    })?;
    let mut released = false;
    for key in held.iter().filter(|key| !keys.contains(key)) {
        released = true;
        let params = [
            tenant.as_str().into(),
            app.as_str().into(),
            subject.into(),
            key.attribute.as_str().into(),
            key.value_key.as_str().into(),
        ];
        tx.exec(&KEY_DROP, &params)?;
    }
    for key in keys.iter().filter(|key| !held.contains(key)) {
        let params = [
            tenant.as_str().into(),
            app.as_str().into(),
            key.attribute.as_str().into(),
            key.value_key.as_str().into(),
            subject.into(),
        ];
        tx.exec(&KEY_RESERVE, &params)?;
    }
    Ok(released)
}

fn text(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).unwrap_or_else(|_| "{}".into())
}

/// Reads a link from its seven columns in the order of [`GET`], from `first` on.
pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Link, StoreError> {
    let attributes = |column: usize| -> Result<Attributes, StoreError> {
        let json = row.opt_json(column)?;
        Ok(json.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default())
    };
    Ok(Link {
        state: LinkState::parse(&row.text(first)?),
        remote_id: row.opt_text(first + 1)?,
        generation: row.int(first + 2)?,
        acknowledged: attributes(first + 3)?,
        normal: attributes(first + 4)?,
        observed: attributes(first + 5)?,
        confirmed_ms: row.int(first + 6)?,
    })
}
