//! One complete read of an app instead of thousands of look-ups, for the first run of many subjects.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::remote::{Call, Outcome, Remote, RemoteKind};
use scim::PatchPath;

use crate::context::Env;
use crate::listing::read_all;
use crate::transport::Transport;

/// Subjects without a link from which on one read of everything is cheaper than looking each up.
pub const WORTH_IT: i64 = 100;

/// Objects of an app by the keys that they are looked up with.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    users: BTreeMap<(String, String), Vec<Arc<Remote>>>,
    groups: BTreeMap<(String, String), Vec<Arc<Remote>>>,
}

impl Inventory {
    /// Reads users and groups; none unless both reads were complete.
    pub async fn read(transport: &Transport, env: &dyn Env, matching: &str) -> Option<Self> {
        let users = read_all(transport, env, "/Users").await;
        let groups = read_all(transport, env, "/Groups").await;
        if !users.proof.complete || !groups.proof.complete {
            return None;
        }
        Some(Self {
            users: index(users.objects, &["externalId", matching]),
            groups: index(groups.objects, &["externalId", "displayName"]),
        })
    }

    /// Answers a look-up; none for other calls.
    pub fn answer(&self, call: &Call) -> Option<Outcome> {
        let Call::Find { kind, attribute, value } = call else { return None };
        let objects = if *kind == RemoteKind::User { &self.users } else { &self.groups };
        let found = objects.get(&(attribute.clone(), scim::fold(value)));
        Some(Outcome::Found(found.into_iter().flatten().map(|remote| (**remote).clone()).collect()))
    }
}

fn index(objects: Vec<Remote>, attributes: &[&str]) -> BTreeMap<(String, String), Vec<Arc<Remote>>> {
    let paths: Vec<(&str, PatchPath)> =
        attributes.iter().filter_map(|name| Some((*name, PatchPath::parse(name).ok()?))).collect();
    let mut index: BTreeMap<(String, String), Vec<Arc<Remote>>> = BTreeMap::new();
    for remote in objects.into_iter().map(Arc::new) {
        for (name, path) in &paths {
            for value in path.get(&remote.doc).into_iter().filter_map(|value| value.as_str()) {
                index.entry(((*name).to_owned(), scim::fold(value))).or_default().push(remote.clone());
            }
        }
    }
    index
}
