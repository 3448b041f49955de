//! A user in an app, in as few words as a test needs.

use std::sync::Arc;

use domain::app::{App, AppSettings, AppState};
use domain::directory::User;
use domain::ids::{AppId, IntentId, UserId, WaveId};
use domain::mapping::Attributes;
use domain::plan::{Candidate, Known, Matched, Observed};
use domain::remote::Remote;
use domain::snapshot::{
    Base, CompiledApp, Entitlement, Link, LinkState, MarkView, OpenIntent, Snapshot, UserSnapshot,
};
use serde_json::{Value, json};

/// The time of every snapshot.
pub(crate) const NOW_MS: i64 = 1_000_000;

/// An assigned, active user `ada` without an account, in an active app.
pub(crate) fn ada() -> UserSnapshot {
    let settings = AppSettings { base_url: "https://app.example.com".into(), ..AppSettings::default() };
    let app =
        App { id: AppId::new("app"), name: "crm".into(), state: AppState::Active, settings, version: 1 };
    UserSnapshot {
        base: Base {
            now_ms: NOW_MS,
            app: Arc::new(CompiledApp::compile(app).unwrap()),
            link: None,
            intent: None,
            mark: Some(MarkView {
                generation: 1,
                wave: WaveId::new("w"),
                released: false,
                verify_ms: None,
                attempts: 0,
            }),
        },
        user: User {
            id: UserId::new("id-ada"),
            external_id: None,
            user_name: "ada".into(),
            active: true,
            source: "file".into(),
            doc: json!({"userName": "ada", "displayName": "Ada", "active": true, "userType": "employee"}),
            version: 1,
            deleted_ms: None,
        },
        manager: None,
        groups: vec![],
        entitlements: vec![Entitlement::Direct],
        holders: vec![],
    }
}

/// Edits the settings of the app.
pub(crate) fn with_settings(mut user: UserSnapshot, edit: impl Fn(&mut AppSettings)) -> UserSnapshot {
    let mut app = user.base.app.app.clone();
    edit(&mut app.settings);
    user.base.app = Arc::new(CompiledApp::compile(app).unwrap());
    user
}

/// What the app acknowledged of a converged `ada`.
pub(crate) fn acknowledged() -> Attributes {
    let fields = [
        ("userName", json!("ada")),
        ("displayName", json!("Ada")),
        ("userType", json!("employee")),
        ("externalId", json!("id-ada")),
        ("active", json!(true)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// With an account `r-1` in this state.
pub(crate) fn linked(mut user: UserSnapshot, state: LinkState) -> UserSnapshot {
    let mut acknowledged = acknowledged();
    acknowledged.insert("active".into(), json!(state == LinkState::Live));
    user.base.link = Some(Link {
        state,
        remote_id: Some("r-1".into()),
        generation: 1,
        acknowledged,
        normal: Attributes::new(),
        observed: Attributes::new(),
        confirmed_ms: 1,
    });
    user
}

/// With a request of this kind whose outcome is not known, sent so many milliseconds ago.
pub(crate) fn unknown(mut user: UserSnapshot, kind: &str, ago_ms: i64) -> UserSnapshot {
    user.base.intent =
        Some(OpenIntent { id: IntentId::new("i-1"), kind: kind.into(), sent_ms: NOW_MS - ago_ms });
    user
}

/// An account in the app.
pub(crate) fn remote(id: &str, doc: Value) -> Remote {
    let mut doc = doc;
    doc["id"] = json!(id);
    Remote { id: id.into(), doc, version: None }
}

/// Nobody was found.
pub(crate) fn nobody() -> Known {
    Known { candidates: Some(vec![]), ..Known::default() }
}

/// These accounts were found.
pub(crate) fn found(candidates: &[(Matched, Value)]) -> Known {
    let candidates = candidates
        .iter()
        .enumerate()
        .map(|(n, (matched, doc))| Candidate {
            remote: remote(&format!("r-{n}"), doc.clone()),
            matched: *matched,
            taken_by: None,
        })
        .collect();
    Known { candidates: Some(candidates), ..Known::default() }
}

/// The linked account was just read.
pub(crate) fn seen(doc: Value) -> Known {
    Known { observed: Some(Observed::There(Box::new(remote("r-1", doc)))), ..Known::default() }
}

/// The linked account is gone.
pub(crate) fn gone() -> Known {
    Known { observed: Some(Observed::Gone), ..Known::default() }
}

/// Wraps a user's snapshot.
pub(crate) fn snapshot(user: UserSnapshot) -> Snapshot {
    Snapshot::User(Box::new(user))
}
