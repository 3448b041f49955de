//! Findings about connections, on every database: each opens from what an identity provider sends, names its step, and
//! closes when its cause is gone.

use domain::connection::{Connection, ConnectionSettings, IdentityProvider};
use domain::directory::Change;
use domain::exchange::Exchange;
use domain::ids::{GroupId, UserId, uuid_v7};
use engine::findings::{observe, sweep};
use engine::{connections, tasks};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::repo::user;
use store::testing::on_each;

use crate::world::{World, options, user_member};

const HOUR: i64 = 3_600_000;
const START: i64 = 1_760_000_000_000;

struct Pushed {
    world: World,
    connection: Connection,
}

impl Pushed {
    fn on(store: store::Store, provider: IdentityProvider) -> Self {
        let world = World::on(store);
        let settings = ConnectionSettings::default();
        let connection =
            block_on(connections::add(&world.engine, &world.tenant, "idp", provider, settings)).unwrap();
        Self { world, connection }
    }

    fn apply(&self, batch: Vec<Change>) {
        self.world.apply(batch).unwrap();
    }

    /// The same change, as the identity provider's own.
    fn apply_as_provider(&self, batch: Vec<Change>) {
        let engine = engine::Engine { actor: self.connection.source(), ..self.world.engine.clone() };
        block_on(engine.write(&self.world.tenant, move |tx, ctx| engine::directory::apply(tx, ctx, &batch)))
            .unwrap();
    }

    fn user(&self, id: &str, name: &str, external_id: &str) -> Change {
        let doc = json!({"userName": name, "externalId": external_id, "active": true});
        Change::CreateUser { id: UserId::new(id), source: self.connection.source(), doc }
    }

    fn group(&self, id: &str, name: &str) -> Change {
        let doc = json!({"displayName": name});
        Change::CreateGroup { id: GroupId::new(id), source: self.connection.source(), doc }
    }

    fn exchange(&self, method: &str, path: &str, status: u16) -> Exchange {
        Exchange {
            connection: self.connection.id.to_string(),
            connection_name: self.connection.name.clone(),
            status,
            ..Exchange::new(&self.world.tenant, START, "0123456789ab", method, path)
        }
    }

    fn see(&self, exchanges: &[Exchange]) {
        block_on(observe(&self.world.engine, exchanges.to_vec())).unwrap();
    }

    fn sweep(&self, now_ms: i64) {
        block_on(sweep(&self.world.engine, &self.world.tenant, now_ms)).unwrap();
    }

    fn tasks(&self) -> Vec<tasks::Task> {
        block_on(tasks::list(&self.world.engine, &self.world.tenant, None, 100)).unwrap()
    }

    /// Cause and subject of the open findings.
    fn open(&self) -> Vec<(String, String)> {
        let about = |task: &tasks::Task| task.subject.clone().unwrap_or_default();
        self.tasks().iter().map(|task| (task.cause.clone(), about(task))).collect()
    }

    #[track_caller]
    fn shows(&self, cause: &str, subject: &str) -> tasks::Task {
        assert_eq!(self.open(), [(cause.to_owned(), subject.to_owned())]);
        let task = self.tasks().remove(0);
        assert_eq!(task.app, "idp", "the connection's name");
        assert!(!task.fix.contains('{') && task.fix.len() > 40, "{}", task.fix);
        task
    }
}

fn delete(id: &str) -> Change {
    Change::DeleteUser { id: UserId::new(id) }
}

fn add(group: &str, user: &str) -> Change {
    Change::AddMember { group: GroupId::new(group), member: user_member(user) }
}

fn of(kind: &str, id: &str, name: &str, exchange: Exchange) -> Exchange {
    Exchange { object_kind: kind.into(), object: id.into(), object_name: name.into(), ..exchange }
}

fn with(body: Value, exchange: Exchange) -> Exchange {
    Exchange { request: Some(body), ..exchange }
}

#[test]
fn s15_writing_to_a_deleted_user_is_found_and_over_when_it_is_restored_or_made_anew() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        here.apply(vec![here.user("u-ada", "ada@x", "00u1")]);
        let write = here.exchange("PUT", "/Users/u-ada", 404);
        here.see(&[write.clone(), here.exchange("GET", "/Users/never-given", 404)]);
        assert_eq!(here.open(), [], "{name}: nobody is deleted");
        here.apply(vec![delete("u-ada")]);
        here.see(&[here.exchange("DELETE", "/Users/u-ada", 404)]);
        assert_eq!(here.open(), [], "{name}: a second DELETE does no harm");
        here.see(&[write.clone(), here.exchange("GET", "/Users/u-ada?attributes=id", 404)]);
        let task = here.shows("endpoint.deleted_written", "ada@x");
        assert!(task.fix.contains("user restore ada@x") && task.fix.contains("In Okta"), "{}", task.fix);
        assert_eq!((task.evidence["deleted_by_it"].clone(), task.times), (json!(false), 2), "{name}");
        here.sweep(START + HOUR);
        here.shows("endpoint.deleted_written", "ada@x");
        here.apply(vec![Change::RestoreUser { id: UserId::new("u-ada") }]);
        here.sweep(START + HOUR);
        assert_eq!(here.open(), [], "{name}");
        here.apply(vec![delete("u-ada")]);
        here.see(std::slice::from_ref(&write));
        here.apply(vec![here.user("u-new", "ada@x", "00u1")]);
        here.sweep(START + HOUR);
        assert_eq!(here.open(), [], "{name}: there is a new one");
        here.apply_as_provider(vec![delete("u-new")]);
        here.see(&[here.exchange("GET", "/Users/u-new", 404)]);
        assert_eq!(here.open(), [], "{name}: it deleted it itself and looks once more");
        here.see(&[here.exchange("PATCH", "/Users/u-new", 404)]);
        assert_eq!(here.shows("endpoint.deleted_written", "ada@x").evidence["deleted_by_it"], true);
    });
}

#[test]
fn s15_a_post_with_the_external_id_of_a_deleted_user_is_offered_as_the_same_one() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Entra);
        here.apply(vec![here.user("u-old", "ada@x", "00u1")]);
        here.apply(vec![delete("u-old")]);
        here.apply(vec![here.user("u-new", "ada@x", "00u1"), here.user("u-bob", "bob@x", "00u2")]);
        let post = |id: &str, user: &str, external_id: &str| {
            let body = json!({"userName": user, "externalid": external_id});
            of("user", id, user, with(body, here.exchange("POST", "/Users", 201)))
        };
        here.see(&[post("u-new", "ada@x", "00u1"), post("u-bob", "bob@x", "00u2")]);
        let task = here.shows("endpoint.returned_as_new", "ada@x");
        assert!(task.fix.contains("user merge"), "{}", task.fix);
        assert_eq!(task.evidence["deleted"]["id"], "u-old", "{name}");
        here.sweep(START + HOUR);
        here.shows("endpoint.returned_as_new", "ada@x");
        here.apply(vec![delete("u-new")]);
        here.apply(vec![Change::RestoreUser { id: UserId::new("u-old") }]);
        here.sweep(START + HOUR);
        assert_eq!(here.open(), [], "{name}: the old one is back");
    });
}

#[test]
fn s21_a_member_that_is_deleted_here_waits_visibly_and_is_over_when_it_comes_back() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        let users = ["a", "b", "c"].map(|id| here.user(id, &format!("{id}@x"), id));
        here.apply([users.to_vec(), vec![here.group("g", "Team")]].concat());
        here.apply(vec![delete("a"), delete("b")]);
        let park = |id: &str| Change::ParkMember { group: GroupId::new("g"), member: user_member(id) };
        let patch = |ids: &[&str]| {
            let members: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
            let body = json!({"Operations": [{"op": "Add", "path": "members", "value": members}]});
            of("group", "g", "Team", with(body, here.exchange("PATCH", "/Groups/g", 200)))
        };
        here.apply(vec![park("a"), add("g", "c")]);
        here.see(&[patch(&["a", "c"])]);
        here.apply(vec![park("b")]);
        here.see(&[patch(&["b"])]);
        let task = here.shows("endpoint.member_deleted", "Team");
        assert_eq!(task.evidence["members"].as_array().map(Vec::len), Some(2), "{name}: {}", task.evidence);
        assert!(task.fix.contains("Push now"), "{}", task.fix);
        here.apply(vec![Change::RestoreUser { id: UserId::new("a") }]);
        here.sweep(START + HOUR);
        here.shows("endpoint.member_deleted", "Team");
        let member = user_member("b");
        here.apply(vec![Change::RemoveMember { group: GroupId::new("g"), member }]);
        here.sweep(START + HOUR);
        assert_eq!(here.open(), [], "{name}: one is back, the other one is no member any more");
    });
}

#[test]
fn s01_a_user_who_came_after_the_group_is_named_until_the_membership_arrives() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        let user_id = uuid_v7(START + 7_000, 1);
        here.apply(vec![here.group("g", "Sales"), here.user("u-peer", "peer@x", "p")]);
        here.see(&[of("group", "g", "Sales", here.exchange("POST", "/Groups", 201))]);
        here.sweep(START + 5 * 60_000);
        assert_eq!(here.open(), [], "{name}");
        // The clock of the test stands nearly still: this user was created 7 seconds later.
        let late = domain::directory::User {
            id: UserId::new(user_id.as_str()),
            external_id: None,
            user_name: "ada@x".into(),
            active: true,
            source: here.connection.source(),
            doc: json!({"userName": "ada@x"}),
            version: 1,
            deleted_ms: None,
        };
        let tenant = here.world.tenant.clone();
        let insert = move |tx: &mut store::Tx<'_>| user::insert(tx, &tenant, &late, START + 7_000);
        here.world.engine.store.write_blocking(insert).unwrap();
        here.sweep(START + 60_000);
        assert_eq!(here.open(), [], "{name}: the identity provider may still be at it");
        here.sweep(START + HOUR);
        let task = here.shows("endpoint.member_late", "Sales");
        assert_eq!(task.evidence["users"][0]["name"], "ada@x", "{name}");
        assert!(task.evidence["users"][0]["created_seconds_after_the_group"].as_i64().unwrap() >= 6);
        assert!(task.fix.contains("Push now"), "{}", task.fix);
        here.sweep(START + 3 * 24 * HOUR);
        assert_eq!(here.shows("endpoint.member_late", "Sales").times, 1, "{name}: it stays open, seen once");
        here.apply(vec![Change::AddMember { group: GroupId::new("g"), member: user_member(&user_id) }]);
        here.sweep(START + 3 * 24 * HOUR);
        assert_eq!(here.open(), [], "{name}: the membership arrived");
    });
}

#[test]
fn s01_a_group_refused_for_a_member_that_was_never_created_is_over_when_it_is_accepted() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Entra);
        here.apply(vec![here.group("g", "Sales"), here.user("a", "a@x", "a")]);
        let patch = |status: u16| {
            let body =
                json!({"operations": [{"op": "add", "value": {"members": ["a", {"value": "ghost"}]}}]});
            of("group", "g", "Sales", with(body, here.exchange("PATCH", "/Groups/g", status)))
        };
        here.see(&[patch(400)]);
        let task = here.shows("endpoint.member_unknown", "Sales");
        assert_eq!(task.evidence["more"]["never_created"], json!(["ghost"]), "{name}");
        assert!(task.fix.contains("Provision on demand"), "{}", task.fix);
        here.see(&[patch(204)]);
        assert_eq!(here.open(), [], "{name}");
        here.see(&[patch(204), patch(400)]);
        assert_eq!(here.open().len(), 1, "{name}: the last one counts");
        here.see(&[patch(400), patch(204)]);
        assert_eq!(here.open(), [], "{name}");
    });
}

#[test]
fn the_same_conflict_again_and_again_is_found_once_and_over_when_it_is_accepted() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        here.apply(vec![here.user("a", "ada@x", "a")]);
        let post = |minute: i64| {
            let body = json!({"userName": "ADA@x"});
            Exchange { at_ms: START + minute * 60_000, ..with(body, here.exchange("POST", "/Users", 409)) }
        };
        here.see(&[post(0)]);
        here.see(&[post(1)]);
        assert_eq!(here.open(), [], "{name}: twice may happen");
        here.see(&[post(2), post(3)]);
        let task = here.shows("endpoint.conflict_repeated", "ada@x");
        assert_eq!(
            (task.kind.as_str(), task.evidence["times_within_an_hour"].clone()),
            ("user", json!(4)),
            "{name}"
        );
        here.see(&[of("user", "a", "ada@x", here.exchange("PATCH", "/Users/a", 200))]);
        assert_eq!(here.open(), [], "{name}: it has found the user");
        for minute in [200, 250, 300, 350] {
            here.see(&[post(minute)]);
        }
        assert_eq!(here.open(), [], "{name}: once an hour is not again and again");
        for minute in [351, 352] {
            here.see(&[post(minute)]);
        }
        here.shows("endpoint.conflict_repeated", "ada@x");
        here.sweep(START + 48 * HOUR);
        here.shows("endpoint.silent", "");
    });
}

#[test]
fn a_connection_that_falls_silent_is_found_and_over_with_the_next_call() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Entra);
        let call = |at_ms: i64| Exchange { at_ms, ..here.exchange("GET", "/Users", 200) };
        for cycle in 0..5 {
            here.see(&[call(START + cycle * 40 * 60_000)]);
        }
        let last = START + 4 * 40 * 60_000;
        here.sweep(last + 23 * HOUR);
        assert_eq!(here.open(), [], "{name}");
        here.sweep(last + 25 * HOUR);
        here.sweep(last + 26 * HOUR);
        let task = here.shows("endpoint.silent", "");
        assert_eq!((task.kind.as_str(), task.times), ("connection", 1), "{name}");
        assert_eq!(task.evidence["usual_minutes_between_visits"], 40, "{name}");
        here.see(&[call(last + 27 * HOUR)]);
        assert_eq!(here.open(), [], "{name}");
    });
}

#[test]
fn s25_each_thing_about_a_group_that_is_not_supported_is_named() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        here.apply(vec![here.group("g", "Sales"), here.group("inner", "Inner")]);
        let post = |body: Value, status: u16| with(body, here.exchange("POST", "/Groups", status));
        let nested = json!({"displayName": "Outer", "members": [{"value": "inner"}]});
        let unknown = Exchange {
            tolerated: vec![("unknown_attribute".into(), "mailNickname".into(), "dropped".into())],
            ..of("group", "g", "Sales", post(json!({"displayName": "Sales"}), 201))
        };
        let cases = [
            (post(json!({"displayName": " "}), 400), "group.name_empty"),
            (post(json!({"displayName": "sales"}), 409), "group.name_taken"),
            (post(json!({"displayName": "x".repeat(300)}), 400), "group.name_too_long"),
            (post(nested, 400), "group.nested_refused"),
            (unknown, "group.attribute_unknown"),
        ];
        for (exchange, cause) in &cases {
            here.see(std::slice::from_ref(exchange));
            let found = here.open();
            assert!(found.iter().any(|(code, _)| code == cause), "{name}: {cause} in {found:?}");
        }
        let named = |cause: &str| here.open().into_iter().find(|(code, _)| code == cause).unwrap().1;
        assert_eq!(named("group.nested_refused"), "Outer", "{name}: by the name that was sent");
        let outer = of("group", "g2", "Outer", post(json!({"displayName": "Outer"}), 201));
        here.see(&[outer]);
        assert!(!here.open().iter().any(|(code, _)| code == "group.nested_refused"), "{name}");
        here.sweep(START + 9 * 24 * HOUR);
        assert_eq!(here.open(), [], "{name}: what does not come again is over after a week");
        block_on(connections::remove(&here.world.engine, &here.world.tenant, "idp")).unwrap();
    });
}

#[test]
fn tasks_of_a_connection_that_is_removed_are_closed_and_its_late_requests_open_none() {
    on_each(options, |name, store| {
        let here = Pushed::on(store, IdentityProvider::Okta);
        here.apply(vec![here.user("a", "a@x", "a")]);
        here.apply(vec![delete("a")]);
        let write = here.exchange("PUT", "/Users/a", 404);
        here.see(std::slice::from_ref(&write));
        assert_eq!(here.open().len(), 1, "{name}");
        block_on(connections::remove(&here.world.engine, &here.world.tenant, "idp")).unwrap();
        assert_eq!(here.open(), [], "{name}");
        here.see(std::slice::from_ref(&write));
        assert_eq!(here.open(), [], "{name}");
    });
}
