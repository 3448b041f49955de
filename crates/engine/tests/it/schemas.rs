//! A tenant's own schemas: what may be stored, found, changed and shown with them, and how they go again.

use domain::connection::{ConnectionSettings, IdentityProvider};
use engine::endpoint::{Kind, Operation};
use engine::{EngineError, connections, directory, schemas};
use futures::executor::block_on;
use scim::query::{ListQuery, parameters};
use serde_json::{Value, json};
use store::testing::on_each;

use crate::endpoint_calls::Client;
use crate::world::{World, options};

const URN: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
const GROUP_URN: &str = "urn:acme:params:groups";

fn definition() -> Value {
    json!({"schemas": [scim::urn::SCHEMA], "id": URN, "name": "Acme", "attributes": [
        {"name": "badge", "type": "string", "caseExact": true},
        {"name": "floor", "type": "integer"},
        {"name": "remote", "type": "boolean"},
        {"name": "tags", "type": "string", "multiValued": true},
        {"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value", "type": "string"}, {"name": "type", "type": "string"}]},
    ]})
}

fn add(world: &World, kind: Kind, definition: &Value) -> Result<bool, EngineError> {
    let text = definition.to_string();
    let added = schemas::add(&world.engine, &world.tenant, kind, &text);
    block_on(added).map(|(_, changed)| changed)
}

fn with_schemas(store: store::Store) -> World {
    let world = World::on(store);
    assert!(add(&world, Kind::User, &definition()).unwrap());
    let group = json!({"id": GROUP_URN, "name": "G", "attributes": [{"name": "cost", "type": "decimal"}]});
    assert!(add(&world, Kind::Group, &group).unwrap());
    world
}

fn auto(world: &World) -> Client<'_> {
    Client::new(world, ConnectionSettings::default())
}

fn strict(world: &World) -> Client<'_> {
    Client::new(world, ConnectionSettings { dialect: scim::Dialect::Strict, ..ConnectionSettings::default() })
}

fn person(name: &str, own: Value) -> Value {
    json!({"schemas": [scim::urn::USER, URN], "userName": name, URN: own})
}

#[test]
fn own_attributes_are_stored_checked_and_patched_like_any_other() {
    on_each(options, |_, store| {
        let world = with_schemas(store);
        for client in [auto(&world), strict(&world)] {
            let name = format!("ann-{:?}@x", client.settings.dialect);
            let id = client.create(person(&name, json!({"badge": "B1", "floor": 3, "tags": ["a", "b"]})));
            let shown = client.get(Kind::User, &id).body.unwrap();
            assert_eq!(shown[URN], json!({"badge": "B1", "floor": 3, "tags": ["a", "b"]}));
            assert!(shown["schemas"].as_array().unwrap().contains(&json!(URN)));

            let patched = client.patch(
                Kind::User,
                &id,
                json!([
                    {"op": "replace", "path": format!("{URN}:floor"), "value": 4},
                    {"op": "add", "path": format!("{URN}:tags"), "value": ["c"]},
                    {"op": "add", "path": format!("{URN}:desks"), "value": [{"value": "D1", "type": "home"}]},
                    {"op": "replace", "path": format!("{URN}:desks[type eq \"home\"].value"), "value": "D2"},
                    {"op": "remove", "path": format!("{URN}:badge")},
                ]),
            );
            let wanted =
                json!({"floor": 4, "tags": ["a", "b", "c"], "desks": [{"value": "D2", "type": "home"}]});
            assert_eq!(patched.body.unwrap()[URN], wanted);
            let whole =
                client.patch(Kind::User, &id, json!([{"op": "add", "value": {URN: {"badge": "B9"}}}]));
            assert_eq!(whole.body.unwrap()[URN]["badge"], json!("B9"));
            let gone = client.patch(Kind::User, &id, json!([{"op": "remove", "path": URN}])).body.unwrap();
            assert_eq!((gone.get(URN), gone["schemas"].as_array().unwrap().len()), (None, 1));
            let put = client.put(Kind::User, &id, person(&name, json!({"floor": 1}))).body.unwrap();
            assert_eq!(put[URN], json!({"floor": 1}));

            for (own, part) in [
                (json!({"floor": "high"}), "floor"),
                (json!({"tags": [[1]]}), "tags"),
                (json!({"desks": [{"value": true}]}), "desks"),
            ] {
                let reply = client.put(Kind::User, &id, person(&name, own));
                let error = reply.error.unwrap();
                assert_eq!(error.status, 400);
                assert!(error.detail.contains(part), "{}", error.detail);
            }
        }
        let reply = strict(&world).post(Kind::User, person("eve@x", json!({"shoe": 44})));
        assert_eq!(reply.status, 400, "an attribute that nobody declared");
        let tolerated = auto(&world).post(Kind::User, person("eve@x", json!({"shoe": 44})));
        assert_eq!((tolerated.status, tolerated.tolerated.len()), (201, 1), "dropped and reported");
        let group =
            json!({"schemas": [scim::urn::GROUP, GROUP_URN], "displayName": "Ops", GROUP_URN: {"cost": 1.5}});
        let reply = strict(&world).post(Kind::Group, group);
        assert_eq!(reply.body.unwrap()[GROUP_URN], json!({"cost": 1.5}));
    });
}

#[test]
fn own_attributes_are_filtered_sorted_and_projected() {
    on_each(options, |_, store| {
        let world = with_schemas(store);
        let client = strict(&world);
        let id = client.create(person("a@x", json!({"badge": "B1", "floor": 3, "remote": true})));
        client.create(person("b@x", json!({"badge": "b1", "floor": 1, "tags": ["red"]})));
        client.create(person("c@x", json!({"floor": 2, "desks": [{"value": "D", "type": "home"}]})));
        client.create(json!({"schemas": [scim::urn::USER], "userName": "d@x"}));
        let filtered = |filter: &str| client.names(&format!("filter={}", filter.replace(' ', "%20")));
        for (filter, wanted) in [
            (format!("{URN}:badge eq \"B1\""), vec!["a@x"]),
            (format!("{}:FLOOR ge 2", URN.to_uppercase()), vec!["a@x", "c@x"]),
            (format!("{URN}:remote eq true"), vec!["a@x"]),
            (format!("{URN}:tags eq \"red\""), vec!["b@x"]),
            (format!("{URN}:desks[type eq \"home\" and value sw \"D\"]"), vec!["c@x"]),
            (format!("not ({URN}:floor pr)"), vec!["d@x"]),
            (format!("{URN}:floor lt 3 and userName eq \"b@x\""), vec!["b@x"]),
        ] {
            assert_eq!(filtered(&filter), wanted, "{filter}");
        }
        let sorted = |order: &str| client.names(&format!("sortBy={URN}:floor&sortOrder={order}"));
        assert_eq!(sorted("ascending"), ["b@x", "c@x", "a@x", "d@x"]);
        assert_eq!(sorted("descending"), ["d@x", "a@x", "c@x", "b@x"]);
        for (filter, words) in [("shoe eq 44", "shoe"), ("remote gt true", "remote")] {
            let reply = client.list(Kind::User, &format!("filter={URN}:{}", filter.replace(' ', "%20")));
            assert_eq!(reply.status, 400);
            assert!(reply.error.unwrap().detail.contains(words));
        }
        let shown = |query: &str| {
            let projection = ListQuery::from_parameters(&parameters(query)).unwrap().projection;
            client.send(Operation::Get(Kind::User, id.clone()), projection).body.unwrap()
        };
        assert_eq!(shown(&format!("attributes={URN}:badge"))[URN], json!({"badge": "B1"}));
        assert_eq!(shown(&format!("attributes={URN}:badge")).get("userName"), None);
        assert_eq!(
            shown(&format!("excludedAttributes={URN}:badge,{URN}:floor"))[URN],
            json!({"remote": true})
        );
        assert_eq!(shown(&format!("excludedAttributes={URN}")).get(URN), None);
    });
}

#[test]
fn a_schema_in_use_is_not_removed_and_may_only_grow() {
    on_each(options, |_, store| {
        let world = with_schemas(store);
        let client = strict(&world);
        let users: Vec<String> =
            (0..205).map(|n| client.create(person(&format!("u{n}@x"), json!({"floor": n})))).collect();
        client.delete(&users[0]);
        let count = |world: &World| {
            let all = block_on(schemas::list(&world.engine, &world.tenant)).unwrap();
            all.iter().map(|found| found.objects).collect::<Vec<i64>>()
        };
        assert_eq!(count(&world), [204, 0]);

        assert!(!add(&world, Kind::User, &definition()).unwrap(), "as it was");
        let mut next = definition();
        next["attributes"][1]["type"] = json!("string");
        assert!(add(&world, Kind::User, &next).unwrap_err().to_string().contains("floor"));
        let mut next = definition();
        next["attributes"].as_array_mut().unwrap().push(json!({"name": "team"}));
        assert!(add(&world, Kind::User, &next).unwrap());
        assert!(matches!(add(&world, Kind::Group, &next), Err(EngineError::Conflict(_))), "one kind each");
        let team = json!([{"op": "add", "path": format!("{URN}:team"), "value": "blue"}]);
        assert_eq!(client.patch(Kind::User, &users[1], team.clone()).status, 200);

        let remove = |yes| block_on(schemas::remove(&world.engine, &world.tenant, &URN.to_uppercase(), yes));
        let refused = remove(false).unwrap_err().to_string();
        assert!(refused.contains("204 users") && refused.contains("--yes"), "{refused}");
        assert_eq!(remove(true).unwrap(), 204);
        assert_eq!(count(&world), [0], "the one of groups is left");
        assert!(matches!(remove(true), Err(EngineError::NotFound { .. })));
        let shown = client.get(Kind::User, &users[1]).body.unwrap();
        assert_eq!((shown.get(URN), shown["active"].clone()), (None, json!(true)));
        assert_eq!(client.patch(Kind::User, &users[1], team).status, 400);

        // Who was deleted meanwhile comes back without it, and can be changed.
        block_on(directory::restore_user(&world.engine, &world.tenant, &users[0])).unwrap();
        let shown = client.get(Kind::User, &users[0]).body.unwrap();
        assert_eq!(shown.get(URN), None);
        let title = json!([{"op": "add", "path": "title", "value": "Dr"}]);
        assert_eq!(client.patch(Kind::User, &users[0], title).status, 200);
        let actions = world.actions();
        let of_schemas: Vec<&str> =
            actions.iter().map(String::as_str).filter(|action| action.starts_with("schema.")).collect();
        assert_eq!(of_schemas, ["schema.add", "schema.add", "schema.remove", "schema.set"]);
    });
}

#[test]
fn another_process_sees_a_change_at_once_and_another_tenant_never() {
    on_each(options, |_, store| {
        let (ours, theirs) = (World::on(store.clone()), World::on(store));
        let client = strict(&theirs);
        assert_eq!(client.post(Kind::User, person("a@x", json!({"floor": 1}))).status, 400);
        add(&ours, Kind::User, &definition()).unwrap();
        assert_eq!(client.post(Kind::User, person("a@x", json!({"floor": 1}))).status, 201);
        block_on(schemas::remove(&ours.engine, &ours.tenant, URN, true)).unwrap();
        assert_eq!(client.post(Kind::User, person("b@x", json!({"floor": 1}))).status, 400);
        add(&ours, Kind::User, &definition()).unwrap();
        let other = block_on(engine::tenants::create(&ours.engine, "beta")).unwrap();
        assert!(block_on(ours.engine.types(&other.id)).unwrap().own(Kind::User).is_empty());
    });
}

#[test]
fn hands_files_and_lists_of_connections_know_them_too() {
    on_each(options, |_, store| {
        let world = with_schemas(store);
        let (engine, tenant) = (&world.engine, &world.tenant);
        let edits = |pairs: &[(&str, &str)]| directory::Edits {
            set: pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect(),
            unset: vec![],
        };
        let floor = format!("{URN}:floor");
        let made = edits(&[("userName", "ann@x"), (&floor, "7")]);
        let user = block_on(directory::create_user(engine, tenant, made)).unwrap();
        assert_eq!(user.doc[URN]["floor"], json!(7));
        let wrong = edits(&[(&floor, "top")]);
        assert!(block_on(directory::edit_user(engine, tenant, "ann@x", wrong)).is_err());

        let file = engine::load::LoadFile::new("u.csv", format!("userName,{URN}:badge\nbob@x,B2\n"));
        let request = engine::load::LoadRequest { users: Some(file), ..Default::default() };
        block_on(engine::load::load(engine, tenant, request, &mut |_, _| ())).unwrap();
        assert_eq!(world.user("bob@x").doc[URN]["badge"], json!("B2"));

        let include = |text: &str| ConnectionSettings { include: Some(text.into()), ..Default::default() };
        let (okta, fits) = (IdentityProvider::Okta, format!("{floor} gt 5"));
        let unknown = connections::add(engine, tenant, "bad", okta, include("urn:x:y:floor gt 5"));
        assert!(block_on(unknown).is_err());
        block_on(connections::add(engine, tenant, "okta", okta, include(&fits))).unwrap();
        let client = Client::new(&world, include(&fits));
        assert_eq!(client.post(Kind::User, person("low@x", json!({"floor": 5}))).status, 403);
        assert_eq!(client.post(Kind::User, person("high@x", json!({"floor": 6}))).status, 201);
        let refused = block_on(schemas::remove(engine, tenant, URN, true)).unwrap_err().to_string();
        assert!(refused.contains("okta"), "a list of a connection uses it: {refused}");
    });
}
