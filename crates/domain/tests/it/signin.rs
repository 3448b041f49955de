//! Who signs in: every way through the decision.

use domain::cause::Cause;
use domain::connection::{Connection, ConnectionSettings, IdentityProvider};
use domain::directory::User;
use domain::ids::{ConnectionId, GroupId, UserId};
use domain::signin::{Close, Decision, Holder, How, Known, SigninRequest, Snapshot, decide};
use serde_json::{Value, json};

const NOW: i64 = 1_000;

fn settings(create: bool) -> ConnectionSettings {
    ConnectionSettings {
        issuer: Some("https://idp.example".into()),
        subject_claim: Some("oid".into()),
        subject_attribute: Some("externalId".into()),
        create_on_first_login: create,
        ..ConnectionSettings::default()
    }
}

fn snapshot(settings: ConnectionSettings) -> Snapshot {
    assert_eq!(settings.check(), Ok(()));
    let connection = Connection {
        id: ConnectionId::new("c1"),
        name: "entra".into(),
        provider: IdentityProvider::Entra,
        settings,
        created_ms: 0,
        version: 1,
    };
    Snapshot { connection: Some(connection), ..Snapshot::default() }
}

fn user(id: &str) -> User {
    User {
        id: UserId::new(id),
        external_id: Some("o-1".into()),
        user_name: "ada@acme.example".into(),
        active: true,
        source: "connection:entra".into(),
        doc: json!({"userName": "ada@acme.example", "emails": [{"value": "Ada@acme.example"}]}),
        version: 1,
        deleted_ms: None,
    }
}

fn request(claims: Value) -> SigninRequest {
    let request = json!({"issuer": "https://idp.example", "subject": "s-1", "claims": claims});
    let request: SigninRequest = serde_json::from_value(request).unwrap();
    assert_eq!(request.check(), Ok(()));
    request
}

fn usual() -> SigninRequest {
    request(json!({"oid": "o-1", "preferred_username": "ada@acme.example", "email": "ada@acme.example"}))
}

fn holder(user: User) -> Holder {
    Holder { user, subject: None }
}

#[track_caller]
fn refused(request: &SigninRequest, snapshot: &Snapshot) -> Cause {
    match decide(request, snapshot, NOW) {
        Decision::Refuse(cause) => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s04_a_known_subject_signs_in_under_a_new_name_and_the_rename_is_shown_as_pending() {
    let known = |name: Option<&str>, since_ms| {
        Some(Known { user: Some(user("u1")), name: name.map(Into::into), since_ms })
    };
    let renamed =
        request(json!({"preferred_username": "ada.king@acme.example", "email": "ada.king@acme.example"}));
    let mut snapshot = snapshot(settings(false));
    snapshot.known = known(None, None);
    let Decision::SignIn { user: found, how, pending } = decide(&renamed, &snapshot, NOW) else { panic!() };
    let pending = pending.unwrap();
    assert_eq!((found.id.as_str(), how), ("u1", How::Known));
    assert_eq!((pending.attribute.as_str(), pending.since_ms), ("userName", NOW));
    assert_eq!(
        (pending.directory.as_str(), pending.asserted.as_str()),
        ("ada@acme.example", "ada.king@acme.example")
    );
    // It stays pending since it was seen first, and ends when the directory says the same.
    snapshot.known = known(Some("ada.king@acme.example"), Some(7));
    let Decision::SignIn { pending, .. } = decide(&renamed, &snapshot, NOW) else { panic!() };
    assert_eq!(pending.unwrap().since_ms, 7);
    let Decision::SignIn { pending, .. } = decide(&usual(), &snapshot, NOW) else { panic!() };
    assert_eq!(pending, None);
    // Only the address is new.
    let moved = request(json!({"preferred_username": "ADA@acme.example", "email": "ada@new.example"}));
    let Decision::SignIn { pending, .. } = decide(&moved, &snapshot, NOW) else { panic!() };
    assert_eq!(pending.unwrap().attribute, "emails");
    // The user name is the only address that the directory has.
    let without = User { doc: json!({"userName": "ada@acme.example"}), ..user("u1") };
    snapshot.known = Some(Known { user: Some(without), name: None, since_ms: None });
    let moved = request(json!({"email": "ada@new.example"}));
    let Decision::SignIn { pending, .. } = decide(&moved, &snapshot, NOW) else { panic!() };
    assert_eq!(pending.unwrap().attribute, "userName");
}

#[test]
fn s17_the_declared_pair_ties_a_first_login_to_exactly_one_user_of_the_same_connection_once() {
    let mut snapshot = snapshot(settings(true));
    let with = |snapshot: &mut Snapshot, holders: Vec<Holder>| snapshot.holders = holders;
    with(&mut snapshot, vec![holder(user("u1"))]);
    assert!(matches!(decide(&usual(), &snapshot, NOW), Decision::SignIn { how: How::Linked, .. }));

    with(&mut snapshot, vec![Holder { subject: Some("s-2".into()), ..holder(user("u1")) }]);
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninClaimed);
    with(&mut snapshot, vec![holder(User { source: "connection:okta".into(), ..user("u1") })]);
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninOtherSource);
    with(&mut snapshot, vec![holder(user("u1")), holder(user("u2"))]);
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninAmbiguous);
    with(&mut snapshot, vec![holder(User { deleted_ms: Some(1), ..user("u1") })]);
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninDeleted);
    with(&mut snapshot, vec![holder(User { active: false, ..user("u1") })]);
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninInactive);
    // Without the claim nothing ties, and nobody is made either.
    let without = request(json!({"preferred_username": "ada@acme.example"}));
    with(&mut snapshot, vec![]);
    assert_eq!(refused(&without, &snapshot), Cause::SigninClaimMissing);
}

#[test]
fn s17_a_name_or_an_address_never_ties_and_never_makes_a_second_user() {
    for by in ["userName", "emails"] {
        for create in [false, true] {
            let mut snapshot = snapshot(settings(create));
            snapshot.close = vec![Close { user: user("u1"), by }];
            let expected = if create { Cause::SigninLooksLike } else { Cause::SigninUnknown };
            assert_eq!(refused(&usual(), &snapshot), expected);
        }
    }
}

#[test]
fn s17_somebody_who_was_deleted_and_pushed_again_is_tied_to_the_new_user() {
    let deleted = User { deleted_ms: Some(1), ..user("u1") };
    let mut snapshot = snapshot(settings(true));
    snapshot.known = Some(Known { user: Some(deleted.clone()), name: None, since_ms: None });
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninDeleted);
    snapshot.holders = vec![holder(deleted), holder(user("u2"))];
    let Decision::SignIn { user: found, how, .. } = decide(&usual(), &snapshot, NOW) else { panic!() };
    assert_eq!((found.id.as_str(), how), ("u2", How::Linked));
}

#[test]
fn s18_who_is_unknown_is_refused_or_made_as_the_connection_says() {
    assert_eq!(refused(&usual(), &Snapshot::default()), Cause::SigninIssuer);
    assert_eq!(refused(&usual(), &snapshot(settings(false))), Cause::SigninUnknown);
    let full = request(json!({
        "oid": "o-1", "email": ["ada@acme.example"], "given_name": "Ada", "family_name": "King", "name": "Ada King",
    }));
    let Decision::Create { doc } = decide(&full, &snapshot(settings(true)), NOW) else { panic!() };
    assert_eq!(
        doc,
        json!({
            "userName": "ada@acme.example", "active": true, "externalId": "o-1", "displayName": "Ada King",
            "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"value": "ada@acme.example", "type": "work", "primary": true}],
        })
    );
    assert_eq!(refused(&request(json!({"oid": "o-1"})), &snapshot(settings(true))), Cause::SigninNoName);
    let by_id = ConnectionSettings { subject_attribute: Some("id".into()), ..settings(true) };
    assert_eq!(refused(&full, &snapshot(by_id)), Cause::SigninNoName);
    let excluding = ConnectionSettings { exclude: Some("userName ew \".example\"".into()), ..settings(true) };
    assert_eq!(refused(&full, &snapshot(excluding)), Cause::SigninNotAllowed);
    let grouped = ConnectionSettings { required_group: Some(GroupId::new("g")), ..settings(true) };
    assert_eq!(refused(&full, &snapshot(grouped.clone())), Cause::SigninNotAllowed);
    let joined = ConnectionSettings { default_groups: vec![GroupId::new("g")], ..grouped };
    assert!(matches!(decide(&full, &snapshot(joined), NOW), Decision::Create { .. }));
}

#[test]
fn an_inactive_user_never_signs_in_however_known() {
    let mut snapshot = snapshot(settings(true));
    snapshot.known =
        Some(Known { user: Some(User { active: false, ..user("u1") }), name: None, since_ms: None });
    snapshot.holders = vec![holder(user("u2"))];
    assert_eq!(refused(&usual(), &snapshot), Cause::SigninInactive);
}

#[test]
fn the_subject_itself_can_be_the_declared_claim() {
    let by_subject = ConnectionSettings { subject_claim: Some("sub".into()), ..settings(true) };
    let request = request(json!({"email": "ada@acme.example"}));
    let Decision::Create { doc } = decide(&request, &snapshot(by_subject), NOW) else { panic!() };
    assert_eq!(doc["externalId"], "s-1");
}
