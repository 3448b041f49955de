//! What one effective change leaves behind: its audit entry and the range of subjects that may differ in the apps.

use domain::audit::{Entry, hex};
use serde_json::Value;
use store::Tx;
use store::repo::change::{ChangeKind, RangeChange};

use crate::{Context, EngineError};

/// Priority of the marks of somebody who leaves: before everything else.
const LEAVER: i64 = 0;

/// One effective change.
pub(super) struct Record {
    pub(super) action: &'static str,
    pub(super) object_kind: &'static str,
    pub(super) object: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) mark: ChangeKind,
    /// The member, for memberships; else empty.
    pub(super) member: String,
}

impl Record {
    /// Writes both, in the transaction of the change.
    pub(super) fn save(self, tx: &mut Tx<'_>, ctx: &mut Context) -> Result<(), EngineError> {
        let leaves = matches!(self.action, "user.deactivate" | "user.delete");
        let change = RangeChange {
            id: ctx.ids.uuid(),
            kind: self.mark,
            object: self.object.clone(),
            // A renamed group concerns its members only where a mapping looks at names; see the dispatcher.
            member: match self.action {
                "group.update" => "attributes".into(),
                "user.restore" => "restored".into(),
                _ => self.member,
            },
            app: String::new(),
            wave: ctx.wave.clone(),
            priority: if leaves { LEAVER } else { ctx.priority },
            after_id: String::new(),
            created_ms: ctx.now_ms,
        };
        store::repo::change::insert(tx, &ctx.tenant, &change)?;
        let entry = Entry {
            id: ctx.ids.uuid(),
            at_ms: ctx.now_ms,
            actor: ctx.actor.clone(),
            action: self.action.to_owned(),
            object_kind: self.object_kind.to_owned(),
            object: self.object,
            app: String::new(),
            trace: ctx.trace.clone(),
            before: self.before.map(|doc| doc.to_string()),
            after: self.after.map(|doc| doc.to_string()),
            salt: hex(&ctx.ids.bits().to_be_bytes()),
        };
        store::repo::audit::append(tx, &ctx.tenant, &entry)?;
        Ok(())
    }
}
