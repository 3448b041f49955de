//! Memberships follow the account of their user: they wait for it, leave with it, and are gone with it.

use domain::ids::{AppId, GroupId, TenantId, UserId};

use super::edge::edge_params;
use crate::{StoreError, Tx, statement};

statement!(
    NOT_THERE,
    "SELECT group_id, dirty FROM edge WHERE tenant = $1 AND app = $2 AND user_id = $3
       AND (waits IS NOT NULL OR state <> 'present')"
);
// Two texts for one change: an index is written for every column that is named, also where its value stays.
statement!(
    RAISE_DIRTY,
    "UPDATE edge SET generation = generation + 1 WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4 AND dirty"
);
statement!(
    RAISE_CLEAN,
    "UPDATE edge SET dirty = TRUE, generation = generation + 1 WHERE tenant = $1 AND app = $2 AND group_id = $3
       AND user_id = $4"
);
// A dirty membership may be in a request that was planned while the account was live.
statement!(
    USER_DISABLED,
    "UPDATE edge SET dirty = TRUE, generation = generation + 1 WHERE tenant = $1 AND app = $2 AND user_id = $3
       AND (state <> 'absent' OR dirty) RETURNING group_id"
);
statement!(
    USER_GONE,
    "UPDATE edge SET state = 'absent', dirty = TRUE, generation = generation + 1, waits = NULL
      WHERE tenant = $1 AND app = $2 AND user_id = $3 RETURNING group_id"
);
/// What happened to a user's link, for the memberships that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserLinkChange {
    /// The account is live: waiting memberships can go.
    Live,
    /// The account is deactivated: memberships are taken back.
    Disabled,
    /// The account is gone, its memberships with it.
    Gone,
}

/// Wakes or ends a user's memberships after her link changed; gives the groups to look at.
pub fn user_link_changed(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    user: &str,
    change: UserLinkChange,
) -> Result<Vec<GroupId>, StoreError> {
    let statement = match change {
        UserLinkChange::Live => return user_is_live(tx, tenant, app, user),
        UserLinkChange::Disabled => &USER_DISABLED,
        UserLinkChange::Gone => &USER_GONE,
    };
    let params = [tenant.as_str().into(), app.as_str().into(), user.into()];
    let mut groups = tx.rows(statement, &params, |row| row.text(0).map(GroupId::new))?;
    groups.sort();
    Ok(groups)
}

fn user_is_live(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    user: &str,
) -> Result<Vec<GroupId>, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), user.into()];
    let mut found = tx.rows(&NOT_THERE, &params, |row| Ok((GroupId::new(row.text(0)?), row.bool(1)?)))?;
    found.sort();
    for (group, dirty) in &found {
        let raise = if *dirty { &RAISE_DIRTY } else { &RAISE_CLEAN };
        tx.later(raise, &edge_params(tenant, app, group, &UserId::new(user)))?;
    }
    Ok(found.into_iter().map(|(group, _)| group).collect())
}
