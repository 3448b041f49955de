//! What the account of a user should be, with the reasons, and how attributes are read from documents.

use scim::PatchPath;
use serde_json::{Value, json};

use crate::app::Deprovision;
use crate::mapping::{Attributes, MappingError, MappingInput};
use crate::plan::{Key, Reasons};
use crate::snapshot::{Entitlement, UserSnapshot};

/// What the account should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired {
    /// There, active, with these attributes.
    Present(Attributes),
    /// There, but deactivated.
    Disabled,
    /// Not there.
    Absent,
    /// Whatever it is: not ours to manage.
    Unmanaged,
    /// It should be there, but the mapping gives no usable document.
    Invalid(MappingError),
}

/// Works out what the account of this user should be, with the reasons.
pub fn desired(snapshot: &UserSnapshot) -> (Desired, Vec<crate::plan::Reason>) {
    let mut reasons = Reasons::default();
    let desired = desire(snapshot, &mut reasons);
    (desired, reasons.0)
}

/// The keys of an account that must be unique in the app.
pub fn keys_of(attributes: &Attributes) -> Vec<Key> {
    let name = attributes.get("userName").and_then(Value::as_str);
    name.map(|name| Key { attribute: "userName".into(), value_key: scim::fold(name) }).into_iter().collect()
}

/// What a document read from the app holds at the given paths; absent is null. `active` is always included.
pub fn read_attributes<'a>(doc: &Value, paths: impl Iterator<Item = &'a String>) -> Attributes {
    let mut attributes: Attributes = paths
        .filter(|path| *path != "active")
        .map(|path| {
            let found = PatchPath::parse(path)
                .ok()
                .and_then(|parsed| parsed.get(doc).first().map(|value| (*value).clone()));
            (path.clone(), found.unwrap_or(Value::Null))
        })
        .collect();
    attributes.insert("active".into(), json!(doc.get("active").and_then(Value::as_bool).unwrap_or(true)));
    attributes
}

pub(crate) fn desire(snapshot: &UserSnapshot, reasons: &mut Reasons) -> Desired {
    let settings = &snapshot.base.app.app.settings;
    let leaving = |reasons: &mut Reasons| match settings.deprovision {
        Deprovision::Deactivate => {
            reasons.add("policy.deactivate", "The policy is to deactivate such accounts.");
            Desired::Disabled
        }
        Deprovision::Delete => {
            reasons.add("policy.delete", "The policy is to delete such accounts.");
            Desired::Absent
        }
        Deprovision::Leave => {
            reasons.add("policy.leave", "The policy is to leave such accounts alone.");
            Desired::Unmanaged
        }
    };
    if snapshot.user.deleted_ms.is_some() {
        reasons.add("deleted", "The user was deleted in the directory.");
        return leaving(reasons);
    }
    let Some(best) = snapshot.entitlements.first() else {
        reasons.add(
            "not_assigned",
            "The user is not assigned to the app, neither directly nor through a group.",
        );
        return leaving(reasons);
    };
    match best {
        Entitlement::Direct => reasons.add("assigned", "The user is assigned to the app directly."),
        Entitlement::Group { name, .. } => {
            reasons.add("assigned", format!("The user is assigned to the app through the group '{name}'."));
        }
    }
    if let Some(scope) = &snapshot.base.app.scope {
        if !scope.matches(&snapshot.base.app.user_type, &snapshot.user.doc) {
            reasons.add(
                "out_of_scope",
                format!("The scope filter of the app does not hold for the user: {scope}"),
            );
            return leaving(reasons);
        }
        reasons.add("in_scope", format!("The scope filter holds: {scope}"));
    }
    if !snapshot.user.active {
        reasons.add("inactive", "The user is inactive in the directory.");
        return if settings.deprovision == Deprovision::Leave {
            Desired::Unmanaged
        } else {
            Desired::Disabled
        };
    }
    match map(snapshot) {
        Ok(attributes) => Desired::Present(attributes),
        Err(error) => Desired::Invalid(error),
    }
}

fn map(snapshot: &UserSnapshot) -> Result<Attributes, MappingError> {
    let app = &snapshot.base.app;
    let input = MappingInput {
        user: &snapshot.user.doc,
        manager: snapshot.manager.as_ref().map(|manager| &manager.user.doc),
        manager_account: snapshot.manager.as_ref().and_then(|manager| manager.account.as_deref()),
        groups: &snapshot.groups,
    };
    let mut attributes = app.mapping.evaluate(&input, &app.user_type)?;
    attributes.insert("externalId".into(), json!(snapshot.user.id.as_str()));
    attributes.insert("active".into(), json!(true));
    Ok(attributes)
}
