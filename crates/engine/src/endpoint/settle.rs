//! Writes that were computed from what was read: where that has changed meanwhile, the transaction is repeated.
//!
//! Writers run at READ COMMITTED on PostgreSQL (`Store::change`): each statement sees what is committed by then. So a
//! request that looked at an object compares, after its own write, whether it was the object's next version.

use domain::directory::Change;
use store::Tx;
use store::repo::resource::{self, Kind, Stored};

use crate::directory::{Applied, apply};
use crate::{Context, EngineError};

/// What a write was computed from.
pub(super) struct Basis<'s> {
    pub(super) kind: Kind,
    pub(super) stored: &'s Stored,
    /// Whether the members were looked at too, or the client named the version that it wants to change.
    pub(super) members: bool,
}

/// Applies changes of an object and gives it as it is then.
pub(super) fn apply_to(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    basis: &Basis<'_>,
    batch: &[Change],
) -> Result<Stored, EngineError> {
    let applied = if batch.is_empty() { Applied::default() } else { apply_known(tx, ctx, batch)? };
    let before = basis.stored;
    let Some(after) = resource::get(tx, &ctx.tenant, basis.kind, &before.id)? else {
        return Err(tx.out_of_date("the object").into());
    };
    let of_members = |change: &Change| {
        matches!(change, Change::AddMember { .. } | Change::ParkMember { .. } | Change::RemoveMember { .. })
    };
    let own = i64::from(applied.updated + applied.deleted > 0);
    let document = basis.members || !batch.iter().all(of_members);
    let own_members = i64::from(applied.members_added + applied.members_removed > 0);
    if document && after.version != before.version + own
        || basis.members && after.members_version > before.members_version + own_members
    {
        return Err(tx.out_of_date("the object").into());
    }
    Ok(after)
}

/// Applies changes whose objects were all found before, in the same transaction: one that is gone now went meanwhile.
pub(super) fn apply_known(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    batch: &[Change],
) -> Result<Applied, EngineError> {
    apply(tx, ctx, batch).map_err(|error| match error {
        EngineError::NotFound { .. } => tx.out_of_date("the directory").into(),
        other => other,
    })
}
