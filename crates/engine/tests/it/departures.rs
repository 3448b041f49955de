//! What a connection's policy does after DELETE and `active: false`, and as days pass.

use domain::connection::{ConnectionSettings, OnDeactivate, OnDelete};
use domain::ids::GroupId;
use engine::departures::{Swept, sweep};
use engine::directory;
use engine::endpoint::Kind;
use futures::executor::block_on;
use serde_json::{Value, json};
use store::testing::on_each;

use crate::endpoint_calls::Client;
use crate::world::{World, options};

const DAY_MS: i64 = 86_400_000;

fn person(name: &str) -> Value {
    json!({"schemas": [scim::urn::USER], "userName": format!("{name}@x"), "externalId": format!("E-{name}"), "title": name})
}

fn keeping(on_delete: OnDelete) -> ConnectionSettings {
    ConnectionSettings { on_delete, ..ConnectionSettings::default() }
}

fn active(value: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": value}])
}

fn swept(world: &World) -> Swept {
    block_on(sweep(&world.engine, &world.tenant)).unwrap()
}

#[track_caller]
fn total(client: &Client<'_>, kind: Kind, query: &str) -> u64 {
    client.list(kind, query).body.unwrap()["totalResults"].as_u64().unwrap()
}

#[test]
fn a_kept_user_is_inactive_and_gone_for_this_connection_only() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let okta = Client::of(&world, "okta", keeping(OnDelete::KeepInactive));
        let other = Client::of(&world, "entra", ConnectionSettings::default());
        let ids: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| okta.create(person(name))).collect();
        let group = json!({"schemas": [scim::urn::GROUP], "displayName": "G", "members": [{"value": ids[0]}, {"value": ids[1]}]});
        let group = okta.post(Kind::Group, group).body.unwrap();
        let group_id = group["id"].as_str().unwrap();

        assert_eq!(okta.delete(&ids[1]).status, 204);
        assert!(!world.user("b@x").active);
        for reply in [
            okta.get(Kind::User, &ids[1]),
            okta.delete(&ids[1]),
            okta.patch(Kind::User, &ids[1], active(true)),
            okta.put(Kind::User, &ids[1], person("b")),
        ] {
            assert_eq!(reply.status, 404, "{:?}", reply.body);
        }
        for query in [
            "",
            "count=10",
            "sortBy=userName",
            "sortBy=userName&sortOrder=descending",
            "sortBy=title",
            "sortBy=meta.lastModified",
            "filter=userName%20co%20%22@x%22",
            "filter=title%20pr&sortBy=userName",
        ] {
            let mut names = okta.names(query);
            names.sort();
            assert_eq!(
                (names, total(&okta, Kind::User, query)),
                (vec!["a@x".into(), "c@x".into(), "d@x".into()], 3),
                "{query}"
            );
            assert_eq!(total(&other, Kind::User, query), 4, "{query}");
        }
        assert_eq!(okta.names("startIndex=2&count=1"), ["c@x"]);
        assert_eq!(okta.names("startIndex=3&count=5"), ["d@x"]);
        for key in ["userName%20eq%20%22b@x%22", "externalId%20eq%20%22E-b%22"] {
            assert_eq!(total(&okta, Kind::User, &format!("filter={key}")), 0);
            assert_eq!(total(&other, Kind::User, &format!("filter={key}")), 1);
        }
        let cursor = okta.list(Kind::User, "cursor&count=2").body.unwrap();
        let next = cursor["nextCursor"].as_str().unwrap();
        assert_eq!(okta.names(&format!("count=2&cursor={next}")), ["d@x"]);

        let shown = okta.get(Kind::Group, group_id);
        assert_eq!(shown.body.as_ref().unwrap()["members"].as_array().unwrap().len(), 1);
        assert_ne!(shown.etag.unwrap(), group["meta"]["version"], "it shows something else");
        assert_eq!(other.get(Kind::Group, group_id).body.unwrap()["members"].as_array().unwrap().len(), 2);
        let with = |id: &str| format!("filter=members.value%20eq%20%22{id}%22");
        assert_eq!(
            (total(&okta, Kind::Group, &with(&ids[1])), total(&other, Kind::Group, &with(&ids[1]))),
            (0, 1)
        );
        assert_eq!(other.get(Kind::User, &ids[1]).body.unwrap()["active"], json!(false));
        assert_eq!(swept(&world), Swept::default(), "kept means for good");
        assert!(world.actions().iter().any(|action| action == "user.depart"));
    });
}

#[test]
fn a_post_brings_the_same_id_back_with_its_groups() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let okta = Client::of(&world, "okta", keeping(OnDelete::KeepInactive));
        let other = Client::of(&world, "entra", ConnectionSettings::default());
        let id = okta.create(person("b"));
        let group = json!({"schemas": [scim::urn::GROUP], "displayName": "G", "members": [{"value": id}]});
        let group = okta.post(Kind::Group, group).body.unwrap()["id"].as_str().unwrap().to_owned();
        let bodies = [
            json!({"schemas": [scim::urn::USER], "userName": "B@X"}),
            json!({"schemas": [scim::urn::USER], "userName": "new@x", "externalId": "E-1"}),
            json!({"schemas": [scim::urn::USER], "userName": "newer@x", "externalId": "E-1", "active": false}),
        ];
        okta.patch(Kind::User, &id, json!([{"op": "replace", "path": "externalId", "value": "E-1"}]));
        for body in bodies {
            assert_eq!(okta.delete(&id).status, 204);
            assert_eq!(
                other.post(Kind::User, body.clone()).status,
                409,
                "nobody else may take the user over"
            );
            let back = okta.post(Kind::User, body.clone());
            assert_eq!(back.status, 201, "{:?}", back.body);
            let shown = back.body.unwrap();
            assert_eq!((&shown["id"], &shown["userName"]), (&json!(id), &body["userName"]));
            assert_eq!(shown["active"], body.get("active").cloned().unwrap_or(json!(true)));
            assert_eq!(shown["groups"][0]["display"], json!("G"));
            assert_eq!(okta.get(Kind::User, &id).status, 200);
            assert_eq!(total(&okta, Kind::User, ""), 1);
            let reply = okta.post(Kind::User, body);
            assert_eq!(reply.status, 409, "only once");
            okta.patch(Kind::User, &id, json!([{"op": "replace", "path": "externalId", "value": "E-1"}]));
        }
        // What an administrator reactivates is seen again.
        okta.delete(&id);
        let without = okta.get(Kind::Group, &group).etag;
        block_on(directory::set_active(&world.engine, &world.tenant, &id, true)).unwrap();
        assert_ne!(okta.get(Kind::Group, &group).etag, without, "the group shows the user again");
        assert_eq!(okta.get(Kind::User, &id).body.unwrap()["active"], json!(true));
    });
}

#[test]
fn after_its_days_a_deleted_user_is_deleted() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let mut okta = Client::of(&world, "okta", keeping(OnDelete::DeleteAfterDays(3)));
        let ids: Vec<String> = (0..60).map(|n| okta.create(person(&format!("p{n}")))).collect();
        for id in &ids[..57] {
            assert_eq!(okta.delete(id).status, 204);
        }
        world.advance(3 * DAY_MS - 60_000);
        assert_eq!(swept(&world), Swept::default(), "not yet");
        assert_eq!(okta.post(Kind::User, person("p0")).body.unwrap()["id"], json!(ids[0]), "back in time");
        block_on(directory::set_active(&world.engine, &world.tenant, &ids[1], true)).unwrap();
        block_on(directory::delete_user(&world.engine, &world.tenant, &ids[2])).unwrap();
        world.advance(60_000);
        assert_eq!(swept(&world), Swept { deleted: 54, ..Swept::default() });
        assert_eq!(swept(&world), Swept::default());
        assert_eq!(total(&okta, Kind::User, ""), 5);
        let back = okta.post(Kind::User, person("p9"));
        assert_eq!(back.status, 201);
        assert_ne!(back.body.unwrap()["id"], json!(ids[9]), "deleted is deleted");
        okta.set(|settings| settings.restore_on_post = true);
        assert_ne!(okta.post(Kind::User, person("p8")).body.unwrap()["id"], json!(ids[8]), "its own DELETE");

        // The policy of the day counts.
        okta.delete(&ids[57]);
        okta.set(|settings| settings.on_delete = OnDelete::DeleteAfterDays(5));
        world.advance(4 * DAY_MS);
        assert_eq!(swept(&world), Swept { kept: 1, ..Swept::default() });
        world.advance(DAY_MS);
        assert_eq!(swept(&world), Swept { deleted: 1, ..Swept::default() });
        okta.delete(&ids[58]);
        okta.set(|settings| settings.on_delete = OnDelete::KeepInactive);
        world.advance(9 * DAY_MS);
        assert_eq!(swept(&world), Swept { kept: 1, ..Swept::default() });
        assert_eq!(swept(&world), Swept::default());
        assert_eq!(okta.get(Kind::User, &ids[58]).status, 404);
        assert!(!world.user("p58@x").active);
    });
}

#[test]
fn after_its_days_a_deactivated_user_is_deleted_unless_reactivated() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let settings =
            ConnectionSettings { on_deactivate: OnDeactivate::DeleteAfterDays(2), ..Default::default() };
        let okta = Client::of(&world, "okta", settings);
        let ids: Vec<String> = (0..5).map(|n| okta.create(person(&format!("p{n}")))).collect();
        okta.patch(Kind::User, &ids[0], active(false));
        okta.patch(Kind::User, &ids[1], active(false));
        let mut whole = person("p2");
        whole["active"] = json!(false);
        okta.put(Kind::User, &ids[2], whole);
        block_on(directory::set_active(&world.engine, &world.tenant, &ids[3], false)).unwrap();
        assert_eq!(okta.get(Kind::User, &ids[0]).body.unwrap()["active"], json!(false), "seen until then");
        world.advance(DAY_MS);
        // Said again it does not begin anew; reactivated and deactivated by hand it is over.
        okta.patch(Kind::User, &ids[0], active(false));
        okta.patch(Kind::User, &ids[1], active(true));
        block_on(directory::set_active(&world.engine, &world.tenant, &ids[1], false)).unwrap();
        world.advance(DAY_MS);
        assert_eq!(swept(&world), Swept { deleted: 2, ..Swept::default() });
        assert_eq!(okta.get(Kind::User, &ids[0]).status, 404);
        assert_eq!(okta.get(Kind::User, &ids[2]).status, 404);
        assert_eq!(total(&okta, Kind::User, ""), 3);
        world.advance(9 * DAY_MS);
        assert_eq!(swept(&world), Swept::default());
    });
}

#[test]
fn a_removed_connection_deletes_nobody_any_more() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let okta = Client::of(&world, "okta", keeping(OnDelete::DeleteAfterDays(1)));
        let id = okta.create(person("a"));
        okta.delete(&id);
        block_on(engine::connections::remove(&world.engine, &world.tenant, "okta")).unwrap();
        world.advance(2 * DAY_MS);
        assert_eq!(swept(&world), Swept { kept: 1, ..Swept::default() });
        assert!(!world.user("a@x").active);
    });
}

#[test]
fn lists_keep_out_and_default_groups_take_in() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let group = |name: &str| {
            let edits = directory::Edits { set: vec![("displayName".into(), name.into())], unset: vec![] };
            block_on(directory::create_group(&world.engine, &world.tenant, edits)).unwrap().id
        };
        let (all, gone) = (group("All"), group("Gone"));
        let settings = ConnectionSettings {
            include: Some("title ne \"robot\"".into()),
            exclude: Some("userName sw \"test\"".into()),
            default_groups: vec![all.clone(), gone.clone()],
            ..Default::default()
        };
        block_on(directory::delete_group(&world.engine, &world.tenant, gone.as_str())).unwrap();
        let okta = Client::of(&world, "okta", settings);
        let id = okta.create(person("ann"));
        let shown = okta.get(Kind::User, &id).body.unwrap();
        assert_eq!(shown["groups"].as_array().unwrap().len(), 1);
        assert_eq!(shown["groups"][0]["value"], json!(all.as_str()));
        for (name, list) in [("robot", "include"), ("test1", "exclude")] {
            let error = okta.post(Kind::User, person(name)).error.unwrap();
            assert!(error.status == 403 && error.detail.contains(list), "{error:?}");
        }
        let robot = json!([{"op": "replace", "path": "title", "value": "robot"}]);
        assert_eq!(okta.patch(Kind::User, &id, robot).status, 403);
        let leaves = json!([
            {"op": "replace", "path": "title", "value": "robot"}, {"op": "replace", "path": "active", "value": false},
        ]);
        assert_eq!(okta.patch(Kind::User, &id, leaves).status, 200, "who is in may always be deactivated");
        let _: GroupId = all;
    });
}
