//! The required group: who is pushed as active before the membership waits for it.

use domain::connection::ConnectionSettings;
use domain::ids::GroupId;
use engine::departures::{Swept, sweep};
use engine::endpoint::{Kind, Reply};
use engine::{directory, findings, tasks};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::testing::on_each;

use crate::endpoint_calls::Client;
use crate::world::{World, options};

fn group(world: &World, name: &str) -> GroupId {
    let edits = directory::Edits { set: vec![("displayName".into(), name.into())], unset: vec![] };
    block_on(directory::create_group(&world.engine, &world.tenant, edits)).unwrap().id
}

fn person(name: &str) -> Value {
    json!({"schemas": [scim::urn::USER], "userName": format!("{name}@x"), "active": true})
}

fn waits(reply: &Reply) -> bool {
    reply.tolerated.iter().any(|found| found.quirk == "required_group")
}

fn causes(world: &World) -> Vec<String> {
    let open = block_on(tasks::list(&world.engine, &world.tenant, None, 100)).unwrap();
    open.into_iter().map(|task| format!("{} {}", task.cause, task.subject.unwrap_or_default())).collect()
}

fn add(client: &Client<'_>, group: &GroupId, ids: &[&str]) -> Reply {
    let members: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
    client.patch(Kind::Group, group.as_str(), json!([{"op": "add", "path": "members", "value": members}]))
}

fn is_active(client: &Client<'_>, id: &str) -> bool {
    client.get(Kind::User, id).body.unwrap()["active"] == json!(true)
}

fn active(value: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": value}])
}

fn client<'w>(world: &'w World, group: &GroupId) -> Client<'w> {
    let settings = ConnectionSettings { required_group: Some(group.clone()), ..Default::default() };
    Client::of(world, "okta", settings)
}

#[test]
fn who_comes_before_the_membership_is_activated_with_it() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let (staff, inner) = (group(&world, "Staff"), group(&world, "Inner"));
        let okta = client(&world, &staff);
        let made = okta.post(Kind::User, person("ann"));
        assert_eq!((made.status, waits(&made)), (201, true));
        let body = made.body.unwrap();
        let ann = body["id"].as_str().unwrap();
        assert_eq!(body["active"], json!(false));
        assert_eq!(causes(&world), ["endpoint.group_required ann@x"]);

        let again = okta.patch(Kind::User, ann, active(true));
        assert!(waits(&again) && !is_active(&okta, ann));
        let title = okta.patch(Kind::User, ann, json!([{"op": "add", "path": "title", "value": "Dr"}]));
        assert!(!waits(&title));
        assert_eq!(causes(&world).len(), 1);
        assert_eq!(add(&okta, &inner, &[ann]).status, 200);
        assert!(!is_active(&okta, ann), "another group");
        assert_eq!(add(&okta, &staff, &[ann]).status, 200);
        assert!(is_active(&okta, ann));
        assert!(causes(&world).is_empty());

        // Over a nested group, at once or with a sweep; a user that nobody wants active stays as is.
        let bob = okta.create(person("bob"));
        let mut eve = person("eve");
        eve["active"] = json!(false);
        let eve = okta.create(eve);
        add(&okta, &staff, &[inner.as_str()]);
        assert!(!is_active(&okta, &bob));
        add(&okta, &inner, &[&bob, &eve]);
        assert!(is_active(&okta, &bob) && !is_active(&okta, &eve));
        let tom = okta.create(person("tom"));
        let swept = || block_on(sweep(&world.engine, &world.tenant)).unwrap();
        assert_eq!(swept(), Swept::default());
        block_on(directory::add_member(&world.engine, &world.tenant, "Inner", "tom@x")).unwrap();
        assert_eq!(swept(), Swept { activated: 1, ..Swept::default() });
        assert!(is_active(&okta, &tom));
        let new = okta.post(Kind::User, person("zoe"));
        let zoe = new.body.unwrap()["id"].as_str().unwrap().to_owned();
        let whole =
            json!({"schemas": [scim::urn::GROUP], "displayName": "Late", "members": [{"value": zoe}]});
        let late = okta.post(Kind::Group, whole).body.unwrap();
        add(&okta, &staff, &[late["id"].as_str().unwrap()]);
        assert!(is_active(&okta, &zoe), "the one who waits is in the group that was nested");
    });
}

#[test]
fn a_member_is_never_held_back_and_waiting_can_end() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let staff = group(&world, "Staff");
        let mut okta = client(&world, &staff);
        let ann = okta.create(person("ann"));
        okta.patch(Kind::User, &ann, active(false));
        assert!(causes(&world).is_empty(), "not meant to be active any more");
        add(&okta, &staff, &[&ann]);
        assert!(!is_active(&okta, &ann));
        let on = okta.patch(Kind::User, &ann, active(true));
        assert!(!waits(&on) && is_active(&okta, &ann));

        // An administrator may activate anybody; the task is found to be over.
        let bob = okta.create(person("bob"));
        block_on(directory::set_active(&world.engine, &world.tenant, &bob, true)).unwrap();
        block_on(findings::sweep(&world.engine, &world.tenant, world.engine.env.now_ms())).unwrap();
        assert!(causes(&world).is_empty() && is_active(&okta, &bob));

        let tom = okta.create(person("tom"));
        okta.set(|settings| settings.required_group = None);
        let swept = block_on(sweep(&world.engine, &world.tenant)).unwrap();
        assert_eq!(swept, Swept { activated: 1, ..Swept::default() });
        assert!(is_active(&okta, &tom));

        let everyone = staff.clone();
        okta.set(move |settings| {
            settings.required_group = Some(everyone.clone());
            settings.default_groups = vec![everyone.clone()];
        });
        let made = okta.post(Kind::User, person("eve"));
        assert!(!waits(&made));
        assert_eq!(made.body.unwrap()["active"], json!(true), "new users join the group");
        block_on(directory::delete_group(&world.engine, &world.tenant, staff.as_str())).unwrap();
        let made = okta.post(Kind::User, person("kim"));
        assert_eq!(made.status, 201);
        assert!(waits(&made), "nobody is in a deleted group");
        let open = block_on(tasks::list(&world.engine, &world.tenant, None, 100)).unwrap();
        assert!(open.iter().any(|task| task.evidence["group"] == json!("Staff (deleted)")), "{open:?}");
    });
}

#[test]
fn without_a_seat_the_membership_holds_and_the_user_waits_on() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let staff = group(&world, "Staff");
        let okta = client(&world, &staff);
        let (ann, bob) = (okta.create(person("ann")), okta.create(person("bob")));
        let tenant = world.tenant.clone();
        world.engine.store.write_blocking(move |tx| store::repo::seat::set(tx, &tenant, 1)).unwrap();
        assert_eq!(add(&okta, &staff, &[&ann, &bob]).status, 200);
        assert!(is_active(&okta, &ann) != is_active(&okta, &bob));
        let named = |cause: &str| causes(&world).iter().filter(|task| task.contains(cause)).count();
        assert_eq!((named("endpoint.group_required"), named("seats.exhausted_here")), (1, 1));
        let holder = if is_active(&okta, &ann) { &ann } else { &bob };
        okta.patch(Kind::User, holder, active(false));
        assert_eq!(block_on(sweep(&world.engine, &world.tenant)).unwrap().activated, 1);
        assert_eq!((named("endpoint.group_required"), named("seats.exhausted_here")), (0, 0));
    });
}
