//! The planner, case by case: situation, what is known of the app, and the operation that must come out.

use domain::app::{AppState, Deprovision, Linking, MissingPolicy};
use domain::ids::{Subject, UserId};
use domain::plan::{Known, Matched, Operation, Resolution, Wait, Write, plan};
use domain::snapshot::{KeyHolder, LinkState, UserSnapshot};
use serde_json::{Value, json};

use crate::subject::{
    NOW_MS, acknowledged, ada, found, gone, linked, nobody, seen, snapshot, unknown, with_settings,
};

/// The plan in one line: operation, what it changes, and what it says of an unknown request.
fn line(user: UserSnapshot, known: &Known) -> String {
    let plan = plan(&snapshot(user), known);
    let operation = match &plan.operation {
        Operation::Nothing => "nothing".to_owned(),
        Operation::Wait(Wait::InFlight { until_ms }) => format!("wait {} ms", until_ms - NOW_MS),
        Operation::Wait(Wait::Key { holder, .. }) => format!("wait for {}", holder.id()),
        Operation::Wait(Wait::AppNotActive) => "wait: app not active".to_owned(),
        Operation::Blocked(finding) => format!("blocked {}", finding.cause.code()),
        Operation::Locate(locate) => {
            format!("locate {} {}={}", locate.external_id, locate.attribute, locate.value)
        }
        Operation::Verify { remote_id, .. } => format!("read {remote_id}"),
        Operation::Adopt { remote, state, .. } => format!("link {} {}", remote.id, state.as_str()),
        Operation::Relink { state } => format!("link becomes {}", state.as_str()),
        Operation::Observe { .. } => "observe".to_owned(),
        Operation::Write(Write::Update { changes, .. }) => format!("update {}", json!(changes)),
        Operation::Write(write) => write.name().to_owned(),
    };
    match plan.resolves {
        None => operation,
        Some(Resolution::Applied) => format!("{operation}; it was applied"),
        Some(Resolution::NotApplied) => format!("{operation}; it was not applied"),
    }
}

fn check(cases: Vec<(&str, UserSnapshot, Known, &str)>) {
    for (name, user, known, expected) in cases {
        assert_eq!(line(user, &known), expected, "{name}");
    }
}

fn not_assigned(mut user: UserSnapshot) -> UserSnapshot {
    user.entitlements.clear();
    user
}

fn inactive(mut user: UserSnapshot) -> UserSnapshot {
    user.user.active = false;
    user
}

fn verify(mut user: UserSnapshot) -> UserSnapshot {
    if let Some(mark) = &mut user.base.mark {
        mark.verify_ms = Some(NOW_MS);
    }
    user
}

fn account(changes: Value) -> Value {
    let mut doc = json!({"userName": "ada", "displayName": "Ada", "userType": "employee", "externalId": "id-ada", "active": true});
    for (name, value) in changes.as_object().unwrap() {
        doc[name] = value.clone();
    }
    doc
}

#[test]
fn somebody_without_an_account() {
    let no_create = |user| with_settings(user, |settings| settings.create = false);
    let link_on = |user| with_settings(user, |settings| settings.link = Linking::On);
    let theirs = json!({"userName": "ada", "externalId": "somebody-else"});
    let by_hand = || found(&[(Matched::Key, json!({"userName": "Ada"}))]);
    check(vec![
        ("first of all the app is asked", ada(), Known::default(), "locate id-ada userName=ada"),
        ("nobody there", ada(), nobody(), "create"),
        ("ours is there", ada(), found(&[(Matched::ExternalId, account(json!({})))]), "link r-0 live"),
        (
            "ours is there, inactive",
            ada(),
            found(&[(Matched::ExternalId, account(json!({"active": false})))]),
            "link r-0 disabled",
        ),
        ("made by hand", ada(), by_hand(), "blocked match.needs_decision"),
        ("made by hand, linking on", link_on(ada()), by_hand(), "link r-0 live"),
        ("somebody else's", link_on(ada()), found(&[(Matched::Key, theirs)]), "blocked match.foreign"),
        (
            "two of them",
            link_on(ada()),
            found(&[(Matched::Key, json!({})), (Matched::Key, json!({}))]),
            "blocked match.ambiguous",
        ),
        ("hidden from us", ada(), Known { conflict: true, ..nobody() }, "blocked match.hidden"),
        ("create is off", no_create(ada()), nobody(), "blocked switch.create_off"),
        (
            "create is off, but ours is there",
            no_create(ada()),
            found(&[(Matched::ExternalId, account(json!({})))]),
            "link r-0 live",
        ),
        ("not assigned", not_assigned(ada()), Known::default(), "nothing"),
        ("inactive", inactive(ada()), Known::default(), "nothing"),
        (
            "out of scope",
            with_settings(ada(), |settings| settings.scope = Some("userType eq \"contractor\"".into())),
            Known::default(),
            "nothing",
        ),
    ]);
}

#[test]
fn somebody_with_an_account() {
    let mut renamed = linked(ada(), LinkState::Live);
    renamed.user.doc["displayName"] = json!("Countess");
    let mut untitled = linked(ada(), LinkState::Live);
    untitled.user.doc["userType"] = Value::Null;
    let deactivate_off = |user| with_settings(user, |settings| settings.deactivate = false);
    let delete = |user| with_settings(user, |settings| settings.deprovision = Deprovision::Delete);
    let leave = |user| with_settings(user, |settings| settings.deprovision = Deprovision::Leave);
    check(vec![
        ("as it should be", linked(ada(), LinkState::Live), Known::default(), "nothing"),
        ("only what changed", renamed.clone(), Known::default(), r#"update {"displayName":"Countess"}"#),
        ("cleared", untitled, Known::default(), r#"update {"userType":null}"#),
        (
            "update is off",
            with_settings(renamed, |settings| settings.update = false),
            Known::default(),
            "blocked switch.update_off",
        ),
        ("leaves", inactive(linked(ada(), LinkState::Live)), Known::default(), "deactivate"),
        (
            "leaves, switched off",
            deactivate_off(inactive(linked(ada(), LinkState::Live))),
            Known::default(),
            "blocked switch.deactivate_off",
        ),
        ("unassigned", not_assigned(linked(ada(), LinkState::Live)), Known::default(), "deactivate"),
        (
            "unassigned, delete",
            delete(not_assigned(linked(ada(), LinkState::Live))),
            Known::default(),
            "delete",
        ),
        (
            "unassigned, leave",
            leave(not_assigned(linked(ada(), LinkState::Live))),
            Known::default(),
            "link becomes unmanaged",
        ),
        ("gone for good", not_assigned(linked(ada(), LinkState::Disabled)), Known::default(), "nothing"),
        ("returns", linked(ada(), LinkState::Disabled), Known::default(), r#"update {"active":true}"#),
    ]);
}

#[test]
fn what_the_app_holds_is_compared_when_it_was_read() {
    let live = || verify(linked(ada(), LinkState::Live));
    let ask = |user| with_settings(user, |settings| settings.missing = MissingPolicy::Ask);
    let mut lower_cased = live();
    lower_cased.base.link.as_mut().unwrap().normal.insert("displayName".into(), json!("ada"));
    check(vec![
        ("a look is due", live(), Known::default(), "read r-1"),
        ("as it should be", live(), seen(account(json!({}))), "nothing"),
        (
            "edited by hand",
            live(),
            seen(account(json!({"displayName": "X"}))),
            r#"update {"displayName":"Ada"}"#,
        ),
        (
            "its own normal form is no change",
            lower_cased,
            seen(account(json!({"displayName": "ada"}))),
            "nothing",
        ),
        ("deactivated by hand", live(), seen(account(json!({"active": false}))), r#"update {"active":true}"#),
        (
            "a leaver was reactivated",
            verify(inactive(linked(ada(), LinkState::Disabled))),
            seen(account(json!({}))),
            "deactivate",
        ),
        ("deleted by hand", live(), gone(), "link becomes lost"),
        ("deleted by hand, ask", ask(live()), gone(), "blocked missing.in_app"),
        (
            "a leaver's account is gone",
            verify(inactive(linked(ada(), LinkState::Disabled))),
            gone(),
            "link becomes lost",
        ),
        (
            "a lost account is looked up",
            linked(ada(), LinkState::Lost),
            Known::default(),
            "locate id-ada userName=ada",
        ),
    ]);
}

#[test]
fn requests_without_an_answer_are_never_blindly_repeated() {
    let ours = || found(&[(Matched::ExternalId, account(json!({})))]);
    let unnamed = || found(&[(Matched::Key, json!({"userName": "ada"}))]);
    let live = || linked(ada(), LinkState::Live);
    check(vec![
        ("looked up first", unknown(ada(), "create", 10), Known::default(), "locate id-ada userName=ada"),
        ("it was applied", unknown(ada(), "create", 10), ours(), "link r-0 live; it was applied"),
        (
            "the app drops externalId",
            unknown(ada(), "create", 10),
            unnamed(),
            "link r-0 live; it was applied",
        ),
        ("it may still arrive", unknown(ada(), "create", 10), nobody(), "wait 119990 ms"),
        ("it did not arrive", unknown(ada(), "create", 120_000), nobody(), "create; it was not applied"),
        (
            "unassigned meanwhile, may still arrive",
            unknown(not_assigned(ada()), "create", 10),
            nobody(),
            "wait 119990 ms",
        ),
        (
            "unassigned meanwhile, arrived",
            unknown(not_assigned(ada()), "create", 10),
            ours(),
            "link r-0 live; it was applied",
        ),
        (
            "unassigned meanwhile, never arrived",
            unknown(not_assigned(ada()), "create", 120_000),
            nobody(),
            "nothing; it was not applied",
        ),
        ("an update is read back", unknown(live(), "update", 10), Known::default(), "read r-1"),
        (
            "an update was applied",
            unknown(live(), "update", 10),
            seen(account(json!({}))),
            "observe; it was applied",
        ),
        (
            "an update was lost",
            unknown(live(), "update", 10),
            seen(account(json!({"displayName": "old"}))),
            r#"update {"displayName":"Ada"}; it was not applied"#,
        ),
        (
            "a deactivation was applied",
            unknown(inactive(live()), "deactivate", 10),
            seen(account(json!({"active": false}))),
            "observe; it was applied",
        ),
        (
            "a deletion was applied",
            unknown(not_assigned(live()), "delete", 10),
            gone(),
            "link becomes tombstone; it was applied",
        ),
    ]);
}

#[test]
fn a_key_that_somebody_else_holds_is_waited_for_and_a_circle_is_broken() {
    let holder = |waits_for_us| KeyHolder {
        attribute: "userName".into(),
        value_key: "countess".into(),
        subject: Subject::User(UserId::new("id-bob")),
        waits_for_us,
        keeps_it: false,
    };
    let rename = |waits_for_us| {
        let mut user = linked(ada(), LinkState::Live);
        user.user.doc["userName"] = json!("Countess");
        user.holders = vec![holder(waits_for_us)];
        user
    };
    check(vec![
        ("waits", rename(false), Known::default(), "wait for id-bob"),
        ("a circle", rename(true), Known::default(), r#"update {"userName":"moving-id-ada-Countess"}"#),
    ]);
}

#[test]
fn nothing_is_sent_while_the_app_is_not_active() {
    for state in [AppState::Preview, AppState::Paused] {
        let mut user = ada();
        let mut app = user.base.app.app.clone();
        app.state = state;
        user.base.app = std::sync::Arc::new(domain::snapshot::CompiledApp::compile(app).unwrap());
        assert_eq!(line(user, &nobody()), "wait: app not active");
    }
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let user = verify(linked(ada(), LinkState::Live));
    let known = seen(account(json!({"displayName": "X"})));
    assert_eq!(plan(&snapshot(user.clone()), &known), plan(&snapshot(user), &known));
    assert_eq!(acknowledged().len(), 5);
}
