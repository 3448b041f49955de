//! Refuses what must never happen, whatever the planner said: the last look before an intent is written.

use crate::app::AppState;
use crate::plan::{Operation, Plan, Reason, Wait, Write};
use crate::snapshot::{LinkState, Snapshot};

/// Turns an operation that must not be sent into one that is safe.
pub(crate) fn check(snapshot: &Snapshot, plan: &mut Plan) {
    let base = snapshot.base();
    let Operation::Write(write) = &plan.operation else { return };
    if base.app.app.state != AppState::Active && base.mark.is_some() {
        plan.reasons.push(Reason::new(
            "app.not_active",
            format!("The app is in state {}; nothing is sent.", base.app.app.state.as_str()),
        ));
        plan.operation = Operation::Wait(Wait::AppNotActive);
        return;
    }
    let target = match write {
        Write::Create { .. } => None,
        Write::Update { remote_id, .. }
        | Write::Deactivate { remote_id, .. }
        | Write::Delete { remote_id, .. }
        | Write::Members { remote_id, .. } => Some(remote_id),
    };
    // I6: objects that were never linked by us are never written.
    let linked =
        base.link.as_ref().filter(|link| !matches!(link.state, LinkState::Lost | LinkState::Disputed));
    let linked_id = linked.and_then(|link| link.remote_id.as_ref());
    assert!(
        target.is_none() || target == linked_id,
        "a write was planned for an object that is not linked: this is a bug of the planner"
    );
}
