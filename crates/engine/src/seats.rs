//! Seats: setting a tenant's limit, taking and freeing seats with the change that needs them, and who must know about it.

use domain::cause::{Cause, Finding};
use domain::ids::{AppId, TaskId, TenantId};
use domain::seats::SeatUse;
use serde_json::json;
use store::Tx;
use store::repo::{seat, task, tenant, user};

use crate::audit_log::{Changed, record};
use crate::context::{Context, Engine};
use crate::error::EngineError;

/// A tenant with its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantView {
    /// The tenant.
    pub tenant: tenant::Tenant,
    /// Users that are not deleted.
    pub users: i64,
    /// Users that are active.
    pub active: i64,
    /// The limit, if there is one.
    pub seats: Option<SeatUse>,
}

/// A tenant with its figures.
pub async fn show(engine: &Engine, tenant: tenant::Tenant) -> Result<TenantView, EngineError> {
    engine
        .read(move |tx| {
            Ok(TenantView {
                users: user::count(tx, &tenant.id)?,
                active: user::count_active(tx, &tenant.id)?,
                seats: seat::get(tx, &tenant.id)?,
                tenant: tenant.clone(),
            })
        })
        .await
}

/// The limit of a tenant, if there is one.
pub async fn get(engine: &Engine, tenant: &TenantId) -> Result<Option<SeatUse>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(seat::get(tx, &tenant)?)).await
}

/// Sets the limit, or takes it away. Nobody is deactivated where more are active than it allows. Gives the limit before and
/// after.
pub async fn set(
    engine: &Engine,
    tenant: &TenantId,
    limit: Option<i64>,
) -> Result<(Option<SeatUse>, Option<SeatUse>), EngineError> {
    if limit.is_some_and(|limit| limit < 0) {
        return Err(EngineError::Invalid("a number of seats is 0 or more; or say none".into()));
    }
    let done = engine
        .write(tenant, move |tx, ctx| {
            let before = seat::get(tx, &ctx.tenant)?;
            match limit {
                Some(limit) => seat::set(tx, &ctx.tenant, limit)?,
                None => seat::clear(tx, &ctx.tenant)?,
            }
            let after = seat::get(tx, &ctx.tenant)?;
            let limits = (before.map(|seats| seats.limit), after.map(|seats| seats.limit));
            if limits.0 != limits.1 {
                let id = ctx.tenant.to_string();
                let state = |limit: Option<i64>| Some(json!({"seats": limit}));
                let of = Changed { kind: "tenant", id: &id, before: state(limits.0), after: state(limits.1) };
                record(tx, ctx, "tenant.seats", of)?;
            }
            match after {
                Some(seats) => note(tx, ctx, seats, true)?,
                None => {
                    close(tx, ctx, Cause::SeatsLow)?;
                    close(tx, ctx, Cause::SeatsExhaustedHere)?;
                }
            }
            Ok((before, after))
        })
        .await?;
    let Some(limit) = limit else { return Ok(done) };
    // Who began before there was a limit did not count itself: counted once more.
    let counted = engine.write(tenant, move |tx, ctx| {
        seat::set(tx, &ctx.tenant, limit)?;
        Ok(seat::get(tx, &ctx.tenant)?)
    });
    Ok((done.0, counted.await?))
}

/// Takes or frees seats where the tenant has a limit; only what takes a seat is refused.
pub(crate) fn take(tx: &mut Tx<'_>, ctx: &mut Context, change: i64) -> Result<(), EngineError> {
    if change == 0 {
        return Ok(());
    }
    if change < 0 {
        let Some(after) = seat::free(tx, &ctx.tenant, -change)? else { return Ok(()) };
        let falls = after.after(-change).warns_at().is_some() && after.warns_at().is_none();
        return note(tx, ctx, after, falls);
    }
    if seat::get(tx, &ctx.tenant)?.is_none() {
        return Ok(());
    }
    // The update decides: others may have taken or freed some since the look.
    let Some(after) = seat::take(tx, &ctx.tenant, change)? else {
        let Some(SeatUse { limit, used }) = seat::get(tx, &ctx.tenant)? else { return Ok(()) };
        return Err(EngineError::Seats { seats: limit, used, asked: change });
    };
    let rises = after.warns_at() > after.after(-change).warns_at();
    if rises { note(tx, ctx, after, true) } else { Ok(()) }
}

/// Opens and closes what the present use shows. `moved`: a mark was passed.
fn note(tx: &mut Tx<'_>, ctx: &mut Context, seats: SeatUse, moved: bool) -> Result<(), EngineError> {
    if moved {
        match seats.warns_at() {
            Some(mark) => open(tx, ctx, Cause::SeatsLow, seats, ("warns_at_percent", mark))?,
            None => close(tx, ctx, Cause::SeatsLow)?,
        }
    }
    if seats.has_free() { close(tx, ctx, Cause::SeatsExhaustedHere) } else { Ok(()) }
}

/// Notes that changes which needed up to `asked` seats were refused. What was freed since is taken into account.
pub async fn note_refused(engine: &Engine, tenant: &TenantId, asked: i64) -> Result<(), EngineError> {
    let context = engine.context(tenant);
    engine.store.write(move |tx| refused(tx, &mut context.clone(), asked)).await
}

/// [`note_refused`] where the transaction goes on.
pub(crate) fn refused(tx: &mut Tx<'_>, ctx: &mut Context, asked: i64) -> Result<(), EngineError> {
    match seat::get(tx, &ctx.tenant)? {
        Some(seats) if seats.used + asked > seats.limit => {
            open(tx, ctx, Cause::SeatsExhaustedHere, seats, ("asked", asked))
        }
        _ => Ok(()),
    }
}

fn open(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    cause: Cause,
    seats: SeatUse,
    (name, value): (&str, i64),
) -> Result<(), EngineError> {
    let mut evidence = json!({"seats": seats.limit, "used": seats.used, "percent": seats.percent()});
    evidence[name] = value.into();
    let id = TaskId::new(ctx.ids.uuid());
    let finding = Finding { cause, evidence };
    Ok(task::open(tx, &ctx.tenant, &AppId::new(""), None, &finding, &id, ctx.now_ms)?)
}

fn close(tx: &mut Tx<'_>, ctx: &Context, cause: Cause) -> Result<(), EngineError> {
    task::close_of_app(tx, &ctx.tenant, &AppId::new(""), cause, ctx.now_ms)?;
    Ok(())
}
