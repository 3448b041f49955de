//! One change of the directory: carried out by the engine, and then, once it is durable, by the model.

use domain::directory::Change;
use domain::ids::{GroupId, Subject};
use engine::{Context, EngineError};
use store::Tx;
use store::repo::app::{self, Assignment};
use store::repo::change::{self, ChangeKind, RangeChange};

use crate::model::Model;
use crate::world::{Stop, World};

/// What is asked of the engine.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A batch for the directory.
    Directory(Vec<Change>),
    /// Assign somebody or take it back.
    Assign { subject: Subject, on: bool },
    /// Mirror a group.
    Push(GroupId),
    /// End the mirroring; `leave` keeps the group in the app.
    EndPush { group: GroupId, leave: bool },
}

/// A change with its effect on the model.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) label: String,
    pub(crate) act: Act,
    pub(crate) after: Model,
}

/// Carries a change out. A crash right after the commit still counts as done: the change is durable.
pub(crate) fn carry_out(world: &mut World, model: &mut Model, step: Step) -> Result<(), Stop> {
    let Step { label, act, after } = step;
    world.note(format!("change {label}"));
    let (_, app_id) = world.keys();
    let done = world.write("change", move |tx, ctx| match &act {
        Act::Directory(batch) => engine::directory::apply(tx, ctx, batch).map(drop),
        Act::Assign { subject, on } => {
            let (tenant, now_ms) = (ctx.tenant.clone(), ctx.now_ms);
            if *on {
                let assignment = Assignment { subject: subject.clone(), priority: 10 };
                app::assign(tx, &tenant, &app_id, &assignment, now_ms)?;
            } else {
                app::unassign(tx, &tenant, &app_id, subject)?;
            }
            announce(tx, ctx, ChangeKind::Assignment, subject.id(), subject.kind(), app_id.as_str())
        }
        Act::Push(group) => {
            let (tenant, now_ms) = (ctx.tenant.clone(), ctx.now_ms);
            app::push_add(tx, &tenant, &app_id, group, now_ms)?;
            announce(tx, ctx, ChangeKind::PushGroup, group.as_str(), "", app_id.as_str())
        }
        Act::EndPush { group, leave } => {
            let tenant = ctx.tenant.clone();
            app::push_remove(tx, &tenant, &app_id, group, *leave)?;
            announce(tx, ctx, ChangeKind::PushGroup, group.as_str(), "", app_id.as_str())
        }
    });
    match done {
        Err(Stop::Refused(reason)) => {
            world.violated(format!("a valid change was refused ({label}): {reason}"));
            Ok(())
        }
        other => {
            *model = after;
            other
        }
    }
}

fn announce(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    kind: ChangeKind,
    object: &str,
    member: &str,
    app: &str,
) -> Result<(), EngineError> {
    let change = RangeChange {
        id: ctx.ids.uuid(),
        kind,
        object: object.to_owned(),
        member: member.to_owned(),
        app: app.to_owned(),
        wave: ctx.wave.clone(),
        priority: ctx.priority,
        after_id: String::new(),
        created_ms: ctx.now_ms,
    };
    Ok(change::insert(tx, &ctx.tenant, &change)?)
}
