//! First and later logins on real stores.

use domain::connection::{Connection, ConnectionSettings, IdentityProvider, Principal, TokenScope};
use domain::directory::Change;
use domain::ids::{GroupId, TokenId, UserId};
use domain::signin::SigninRequest;
use engine::signin::{LogQuery, Outcome, SigninAnswer, link, list_log, sign_in, try_out, unlink};
use engine::{EngineError, connections, tasks};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::repo::seat;
use store::testing::on_each;

use crate::world::{World, options};

const ISSUER: &str = "https://login.example/acme";

pub(crate) fn connect(world: &World, create: bool, groups: Vec<GroupId>) -> Connection {
    let settings = ConnectionSettings {
        issuer: Some(ISSUER.into()),
        subject_claim: Some("oid".into()),
        subject_attribute: Some("externalId".into()),
        create_on_first_login: create,
        default_groups: groups,
        ..ConnectionSettings::of(IdentityProvider::Entra)
    };
    let added = connections::add(&world.engine, &world.tenant, "entra", IdentityProvider::Entra, settings);
    block_on(added).unwrap()
}

pub(crate) fn principal(world: &World) -> Principal {
    Principal {
        tenant: world.tenant.clone(),
        token: TokenId::new("portal"),
        token_name: "portal".into(),
        scope: TokenScope::Signin,
        connection: None,
        user: None,
        schemas_version: 0,
    }
}

pub(crate) fn request(subject: &str, claims: Value) -> SigninRequest {
    serde_json::from_value(json!({"issuer": ISSUER, "subject": subject, "claims": claims})).unwrap()
}

fn ask(world: &World, subject: &str, claims: Value) -> SigninAnswer {
    block_on(sign_in(&world.engine, &principal(world), request(subject, claims))).unwrap()
}

fn ada() -> Value {
    json!({"oid": "o-1", "preferred_username": "ada@acme.example", "email": "ada@acme.example"})
}

/// What SCIM pushes of Ada.
fn push(id: &str, source: &str) -> Change {
    let doc = json!({
        "userName": "ada@acme.example", "externalId": "o-1", "active": true,
        "emails": [{"value": "ada@acme.example", "type": "work"}],
    });
    Change::CreateUser { id: UserId::new(id), source: source.into(), doc }
}

fn refusal(answer: &SigninAnswer) -> &str {
    assert_eq!((answer.outcome, &answer.user), (Outcome::Refused, &None), "{answer:?}");
    answer.refusal.as_deref().unwrap()
}

#[test]
fn s17_a_login_is_known_by_its_subject_and_a_new_name_makes_nobody_new() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        world.apply(vec![push("u1", "connection:entra")]).unwrap();
        let first = ask(&world, "s-1", ada());
        assert_eq!((first.outcome, first.user.unwrap().id.as_str()), (Outcome::Linked, "u1"));
        assert_eq!(ask(&world, "s-1", ada()).outcome, Outcome::Known);

        let married = json!({"oid": "o-1", "preferred_username": "ada.king@acme.example", "email": "ada.king@acme.example"});
        let renamed = ask(&world, "s-1", married.clone());
        let pending = renamed.pending_rename.unwrap();
        assert_eq!((renamed.outcome, pending.attribute.as_str()), (Outcome::Known, "userName"));
        world.advance(60_000);
        let later = ask(&world, "s-1", married.clone()).pending_rename.unwrap();
        assert_eq!(later.since_ms, pending.since_ms, "pending since it was seen first");

        let doc = json!({"userName": "ada.king@acme.example", "externalId": "o-1", "active": true, "emails": [{"value": "ada.king@acme.example"}]});
        world.apply(vec![Change::UpdateUser { id: UserId::new("u1"), doc }]).unwrap();
        assert_eq!(ask(&world, "s-1", married).pending_rename, None);
        assert_eq!(world.dump().len(), 1, "one user all the time");
    });
}

#[test]
fn s17_an_address_alone_never_signs_in_as_anybody() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        world.apply(vec![push("u1", "console")]).unwrap();
        let by_mail = json!({"oid": "o-9", "email": "ADA@acme.example"});
        assert_eq!(refusal(&ask(&world, "s-9", by_mail)), "signin.looks_like");
        assert_eq!(refusal(&ask(&world, "s-1", ada())), "signin.other_source");
        assert_eq!(
            refusal(&ask(&world, "s-1", json!({"email": "ada@acme.example"}))),
            "signin.claim_missing"
        );
        assert_eq!(world.dump().len(), 1);
        // A person compares the two and ties them; a second subject needs the first to be forgotten.
        let tie = |subject: &str| block_on(link(&world.engine, &world.tenant, "u1", ISSUER, subject));
        assert_eq!(tie("s-1").unwrap(), "ada@acme.example");
        assert_eq!(ask(&world, "s-1", ada()).outcome, Outcome::Known);
        assert!(matches!(tie("s-2"), Err(EngineError::Conflict(_))));
        assert_eq!(block_on(unlink(&world.engine, &world.tenant, "u1")).unwrap(), 1);
        tie("s-2").unwrap();
        assert_eq!(ask(&world, "s-2", ada()).outcome, Outcome::Known);
    });
}

#[test]
fn s17_a_declared_value_is_claimed_once() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        world.apply(vec![push("u1", "connection:entra")]).unwrap();
        assert_eq!(ask(&world, "s-1", ada()).outcome, Outcome::Linked);
        assert_eq!(refusal(&ask(&world, "s-2", ada())), "signin.claimed");
        world.apply(vec![Change::DeleteUser { id: UserId::new("u1") }]).unwrap();
        assert_eq!(refusal(&ask(&world, "s-1", ada())), "signin.deleted");
        // Pushed again under a new id: the same person, tied anew.
        world.apply(vec![push("u2", "connection:entra")]).unwrap();
        let again = ask(&world, "s-1", ada());
        assert_eq!((again.outcome, again.user.unwrap().id.as_str()), (Outcome::Linked, "u2"));
    });
}

#[test]
fn s17_a_name_that_looks_like_the_declared_value_is_not_that_value() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        let doc = json!({"userName": "o-1", "externalId": "o-2"});
        let create = Change::CreateUser { id: UserId::new("o-1-id"), source: "connection:entra".into(), doc };
        world.apply(vec![create]).unwrap();
        world.apply(vec![Change::DeleteUser { id: UserId::new("o-1-id") }]).unwrap();
        assert_eq!(ask(&world, "s-1", ada()).outcome, Outcome::Created);
    });
}

#[test]
fn an_employee_number_may_be_the_declared_attribute() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, false, vec![]);
        let attribute = format!("{}:employeeNumber", scim::urn::ENTERPRISE_USER);
        block_on(connections::change(&world.engine, &world.tenant, "entra", move |_, _, settings| {
            settings.subject_claim = Some("employeeid".into());
            settings.subject_attribute = Some(attribute.clone());
            Ok(())
        }))
        .unwrap();
        let doc = |name: &str, number: &str| json!({"userName": name, scim::urn::ENTERPRISE_USER: {"employeeNumber": number}});
        let create = |id: &str, doc: Value| Change::CreateUser {
            id: UserId::new(id),
            source: "connection:entra".into(),
            doc,
        };
        world.apply(vec![create("u1", doc("ada", "E7")), create("u2", doc("bob", "e7"))]).unwrap();
        let tied = ask(&world, "s-1", json!({"employeeid": "E7"}));
        assert_eq!((tied.outcome, tied.user.unwrap().id.as_str()), (Outcome::Linked, "u1"));
    });
}

#[test]
fn s18_a_refusal_tells_the_person_nothing_and_the_task_everything() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, false, vec![]);
        world.apply(vec![push("u1", "connection:okta")]).unwrap();
        let claims = json!({"oid": "o-7", "preferred_username": "ada@acme.example"});
        let answer = ask(&world, "s-7", claims.clone());
        assert_eq!(refusal(&answer), "signin.unknown");
        let message = answer.message.clone().unwrap();
        assert!(message.contains(&answer.trace));
        for secret in ["ada", "o-7", "entra", "u1", "okta"] {
            assert!(!message.contains(secret), "{message}");
        }
        let open = block_on(tasks::list(&world.engine, &world.tenant, None, 10)).unwrap();
        assert_eq!(open.len(), 1);
        let task = &open[0];
        assert_eq!(
            (task.cause.as_str(), task.kind.as_str(), task.app.as_str()),
            ("signin.unknown", "signin", "entra")
        );
        assert_eq!(task.evidence["close"][0]["userName"], "ada@acme.example");
        assert!(task.evidence["lookedFor"].to_string().contains("externalId 'o-7'"));
        assert!(
            task.fix.contains("lockstep connection set entra --create-on-first-login on"),
            "{}",
            task.fix
        );
        assert_eq!(task.evidence["trace"], json!(answer.trace));

        // The code finds the login again, and the task closes once the person gets in.
        let query = LogQuery { trace: Some(answer.trace), limit: 10, ..LogQuery::default() };
        let logged = block_on(list_log(&world.engine, &world.tenant, query)).unwrap();
        assert_eq!((logged.len(), logged[0].refusal.as_deref()), (1, Some("signin.unknown")));
        block_on(link(&world.engine, &world.tenant, "u1", ISSUER, "s-7")).unwrap();
        assert_eq!(ask(&world, "s-7", claims).outcome, Outcome::Known);
        assert!(block_on(tasks::list(&world.engine, &world.tenant, None, 10)).unwrap().is_empty());
    });
}

#[test]
fn s18_a_first_login_makes_the_user_where_the_connection_says_so() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let group = |id: &str, name: &str| Change::CreateGroup {
            id: GroupId::new(id),
            source: "console".into(),
            doc: json!({"displayName": name}),
        };
        world.apply(vec![group("g1", "Everyone"), group("g2", "Gone")]).unwrap();
        connect(&world, true, vec![GroupId::new("g1"), GroupId::new("g2")]);
        world.apply(vec![Change::DeleteGroup { id: GroupId::new("g2") }]).unwrap();

        // A dry run says the same and changes nothing.
        let dry = block_on(try_out(&world.engine, &world.tenant, request("s-1", ada()), false)).unwrap();
        assert_eq!(
            (dry.answer.outcome, dry.document.unwrap()["externalId"].as_str()),
            (Outcome::Created, Some("o-1"))
        );
        assert_eq!(world.dump().len(), 1);

        let made = ask(&world, "s-1", ada());
        assert_eq!(made.outcome, Outcome::Created);
        assert_eq!(ask(&world, "s-1", ada()).user, made.user);
        let user = world.user("ada@acme.example");
        assert_eq!((user.source.as_str(), user.external_id.as_deref()), ("connection:entra", Some("o-1")));
        assert!(world.dump().contains_key("Everyone > ada@acme.example"));
        // What SCIM sends later meets the same user.
        let pushed = world.apply(vec![push("u9", "connection:entra")]);
        assert!(matches!(pushed, Err(EngineError::Conflict(_))), "{pushed:?}");
    });
}

#[test]
fn inactive_users_and_full_tenants_are_refused() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        assert_eq!(ask(&world, "s-1", ada()).outcome, Outcome::Created);
        let id = world.user("ada@acme.example").id;
        let mut doc = world.user("ada@acme.example").doc;
        doc["active"] = json!(false);
        world.apply(vec![Change::UpdateUser { id, doc }]).unwrap();
        assert_eq!(refusal(&ask(&world, "s-1", ada())), "signin.inactive");
        assert!(
            block_on(tasks::list(&world.engine, &world.tenant, None, 10)).unwrap().is_empty(),
            "a leaver is no task"
        );

        let tenant = world.tenant.clone();
        world.engine.store.write_blocking(move |tx| seat::set(tx, &tenant, 0)).unwrap();
        let bob = json!({"oid": "o-2", "email": "bob@acme.example"});
        assert_eq!(refusal(&ask(&world, "s-2", bob)), "signin.no_seat");
        let of = |user: Option<&str>, outcome: Option<Outcome>| {
            let query = LogQuery { user: user.map(Into::into), outcome, limit: 10, ..LogQuery::default() };
            block_on(list_log(&world.engine, &world.tenant, query)).unwrap().len()
        };
        assert_eq!(of(None, None), 3);
        assert_eq!(of(None, Some(Outcome::Refused)), 2);
        assert_eq!(of(Some("ada@acme.example"), None), 2);
        assert_eq!(of(Some("ada@acme.example"), Some(Outcome::Created)), 1);
    });
}

#[test]
fn only_a_signin_token_asks_and_only_about_its_own_connection() {
    let world = World::inline();
    let entra = connect(&world, true, vec![]);
    let wrong = Principal { scope: TokenScope::Scim, ..principal(&world) };
    assert!(block_on(sign_in(&world.engine, &wrong, request("s-1", ada()))).is_err());
    let added = connections::add(
        &world.engine,
        &world.tenant,
        "okta",
        IdentityProvider::Okta,
        ConnectionSettings::of(IdentityProvider::Okta),
    );
    let okta = block_on(added).unwrap();
    let bound =
        |connection: Connection| Principal { connection: Some(connection.into()), ..principal(&world) };
    let answer = block_on(sign_in(&world.engine, &bound(okta), request("s-1", ada()))).unwrap();
    assert_eq!(refusal(&answer), "signin.issuer");
    let answer = block_on(sign_in(&world.engine, &bound(entra), request("s-1", ada()))).unwrap();
    assert_eq!(answer.outcome, Outcome::Created);
}
