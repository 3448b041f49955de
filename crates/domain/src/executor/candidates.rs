//! Re-checks what a look-up returned: some apps ignore filters and answer with a stranger.

use scim::PatchPath;
use serde_json::Value;

use crate::ids::Subject;
use crate::plan::{Candidate, Matched};
use crate::remote::Remote;
use crate::snapshot::Snapshot;

/// Keeps the objects that really carry our externalId or the matching value; ours first.
pub(super) fn recheck(
    snapshot: &Snapshot,
    found: Vec<Remote>,
    owners: Vec<Option<Subject>>,
) -> Vec<Candidate> {
    let (own_id, attribute, value) = match snapshot {
        Snapshot::User(user) => {
            let attribute = user.base.app.app.settings.matching.clone();
            let (desired, _) = crate::desired::desired(user);
            let value = match desired {
                crate::desired::Desired::Present(attributes) => {
                    attributes.get(&attribute).and_then(Value::as_str).map(str::to_owned)
                }
                _ => None,
            };
            (
                user.user.id.as_str().to_owned(),
                attribute,
                value.unwrap_or_else(|| user.user.user_name.clone()),
            )
        }
        Snapshot::Group(group) => {
            (group.group.id.as_str().to_owned(), "displayName".to_owned(), group.group.display_name.clone())
        }
    };
    let path = PatchPath::parse(&attribute).ok();
    let key = scim::fold(&value);
    let mut candidates: Vec<Candidate> = found
        .into_iter()
        .zip(owners)
        .filter_map(|(remote, owner)| {
            let held = path.as_ref().is_some_and(|path| {
                path.get(&remote.doc)
                    .iter()
                    .filter_map(|value| value.as_str())
                    .any(|text| scim::fold(text) == key)
            });
            let matched = match remote.external_id() {
                Some(id) if id == own_id => Matched::ExternalId,
                _ if held => Matched::Key,
                _ => return None,
            };
            let taken_by = owner.filter(|subject| subject.id() != own_id);
            Some(Candidate { remote, matched, taken_by })
        })
        .collect();
    candidates.sort_by(|a, b| (a.matched, &a.remote.id).cmp(&(b.matched, &b.remote.id)));
    candidates
}
