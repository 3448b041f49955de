//! Data under a tenant's own schemas: noted while it is there, and dropped once its schema is gone.

use scim::ResourceType;
use serde_json::Value;
use store::repo::resource::Kind;
use store::repo::schema_extension;
use store::{StoreError, Tx};

use crate::Context;
use crate::schemas::ResourceTypes;

/// Takes out of a document what `before` holds under schemas that are not there any more: somebody who was deleted meanwhile
/// still carries it.
pub(super) fn drop_stale(of: &ResourceType, before: &Value, doc: &mut Value) {
    let Some(fields) = doc.as_object_mut() else { return };
    // Only the URN of a schema has a colon.
    fields
        .retain(|name, _| !name.contains(':') || of.extension(name).is_some() || before.get(name).is_none());
}

/// Takes out of a document what a restoration in the same batch left behind: it was made from what was `stored`.
pub(super) fn drop_left(stored: &Value, restored: &Value, doc: &mut Value) {
    let Some(fields) = doc.as_object_mut() else { return };
    fields.retain(|name, value| {
        !name.contains(':') || restored.get(name).is_some() || stored.get(name) != Some(value)
    });
}

/// Takes everything under the tenant's own schemas out of a document.
pub(super) fn drop_own(types: &ResourceTypes, kind: Kind, doc: &mut Value) {
    let Some(fields) = doc.as_object_mut() else { return };
    fields.retain(|name, _| !types.own(kind).iter().any(|urn| urn.eq_ignore_ascii_case(name)));
}

/// Notes what an object holds under the tenant's own schemas, as far as a change touches that. Costs nothing without one.
pub(super) fn note_use(
    tx: &mut Tx<'_>,
    ctx: &Context,
    own: (Kind, &[String]),
    object: &str,
    (before, after): (Option<&Value>, Option<&Value>),
) -> Result<(), StoreError> {
    let (kind, urns) = own;
    let holds = |doc: Option<&Value>, urn: &str| {
        let fields = doc.and_then(Value::as_object);
        fields.is_some_and(|fields| fields.keys().any(|name| name.eq_ignore_ascii_case(urn)))
    };
    for urn in urns {
        let (was, is) = (holds(before, urn), holds(after, urn));
        if was != is {
            schema_extension::set_used(tx, &ctx.tenant, (kind, urn), object, is)?;
        }
    }
    Ok(())
}
