//! `apply` and the use cases on users, groups and members, on every database.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use engine::EngineError;
use engine::directory::{self, Applied, Edits};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::repo::{change, member, user};
use store::testing::on_each;

use crate::world::{World, options, user_member};

fn create(id: &str, doc: Value) -> Change {
    Change::CreateUser { id: UserId::new(id), source: "file".into(), doc }
}

fn update(id: &str, doc: Value) -> Change {
    Change::UpdateUser { id: UserId::new(id), doc }
}

fn group(id: &str, name: &str) -> Change {
    Change::CreateGroup { id: GroupId::new(id), source: "file".into(), doc: json!({"displayName": name}) }
}

fn add(group: &str, member: Member) -> Change {
    Change::AddMember { group: GroupId::new(group), member }
}

fn nested(id: &str) -> Member {
    Member::Group(GroupId::new(id))
}

/// ann and bob, groups all > team > inner; ann in inner, bob in all.
fn filled(world: &World) {
    let batch = vec![
        create("u-ann", json!({"userName": "Ann@x", "externalId": "E1"})),
        create("u-bob", json!({"userName": "bob@x", "active": false})),
        group("g-all", "All"),
        group("g-team", "Team"),
        group("g-inner", "Inner"),
        add("g-all", nested("g-team")),
        add("g-team", nested("g-inner")),
        add("g-inner", user_member("u-ann")),
        add("g-all", user_member("u-bob")),
    ];
    let applied = world.apply(batch).unwrap();
    assert_eq!(applied, Applied { created: 5, members_added: 4, ..Applied::default() });
}

#[test]
fn a_batch_writes_rows_audit_and_marks_and_nothing_twice() {
    on_each(options, |_, store| {
        let world = World::on(store);
        filled(&world);
        assert_eq!(world.traces(), (9, 9));
        assert_eq!(world.user("ann@X").doc["active"], json!(true));
        assert!(!world.user("u-bob").active);
        assert_eq!(world.group("inner").display_name, "Inner");
        let again = vec![
            update("u-ann", json!({"USERNAME": "Ann@x", "externalId": "E1", "title": null})),
            add("g-inner", user_member("u-ann")),
            Change::RemoveMember { group: GroupId::new("g-team"), member: user_member("u-ann") },
        ];
        assert_eq!(world.apply(again).unwrap(), Applied { unchanged: 3, ..Applied::default() });
        assert_eq!(world.traces(), (9, 9));
        assert_eq!(world.user("E1").version, 1);
    });
}

#[test]
fn active_changes_only_when_named_and_leavers_come_first() {
    on_each(options, |_, store| {
        let world = World::on(store);
        filled(&world);
        world.apply(vec![update("u-bob", json!({"userName": "bob@x", "title": "Dr"}))]).unwrap();
        assert!(!world.user("u-bob").active);
        let leaver = update("u-ann", json!({"userName": "Ann@x", "externalId": "E1", "active": false}));
        world.apply(vec![leaver]).unwrap();
        world.apply(vec![update("u-bob", json!({"userName": "bob@x", "active": true}))]).unwrap();
        world.apply(vec![Change::DeleteUser { id: UserId::new("u-bob") }]).unwrap();
        let changes = world.read(|tx, tenant| change::first(tx, tenant, 100));
        let mut urgent: Vec<&str> = changes
            .iter()
            .filter(|change| change.priority == 0)
            .map(|change| change.object.as_str())
            .collect();
        urgent.sort_unstable();
        assert_eq!(urgent, ["u-ann", "u-bob"]);
        assert_eq!(changes.iter().filter(|change| change.priority == 5).count(), 11);
        let actions = world.actions();
        for action in ["user.update", "user.deactivate", "user.reactivate", "user.delete"] {
            assert_eq!(actions.iter().filter(|found| *found == action).count(), 1, "{action}");
        }
    });
}

#[test]
fn keys_are_unique_after_the_batch_so_names_may_be_swapped() {
    on_each(options, |_, store| {
        let world = World::on(store);
        filled(&world);
        let swap = vec![
            update("u-ann", json!({"userName": "bob@x"})),
            update("u-bob", json!({"userName": "Ann@x", "externalId": "E1"})),
        ];
        assert_eq!(world.apply(swap).unwrap().updated, 2);
        assert_eq!(world.user("bob@x").id, UserId::new("u-ann"));
        assert_eq!(world.user("E1").id, UserId::new("u-bob"));
        let released = vec![
            create("u-new", json!({"userName": "BOB@x"})),
            Change::DeleteUser { id: UserId::new("u-ann") },
        ];
        world.apply(released).unwrap();
        assert_eq!(world.user("bob@x").id, UserId::new("u-new"));
        let before = (world.dump(), world.traces());
        let refused = world.apply(vec![Change::RestoreUser { id: UserId::new("u-ann") }]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "userName 'BOB@x' is already used by user 'BOB@x' (u-new); choose another value, or change that user first"
        );
        for (doc, attribute) in [
            (json!({"userName": "ANN@X"}), "userName 'Ann@x'"),
            (json!({"userName": "other", "externalId": "E1"}), "externalId 'E1'"),
        ] {
            let refused = world.apply(vec![create("u-2", doc)]).unwrap_err();
            assert!(matches!(refused, EngineError::Conflict(_)), "{refused}");
            assert!(refused.to_string().starts_with(attribute), "{refused}");
        }
        let twins =
            vec![create("u-3", json!({"userName": "twin"})), create("u-4", json!({"userName": "TWIN"}))];
        assert!(matches!(world.apply(twins), Err(EngineError::Conflict(_))));
        let refused = world.apply(vec![group("g-2", "TEAM")]).unwrap_err();
        assert!(refused.to_string().starts_with("displayName 'Team' is already used by group"), "{refused}");
        assert_eq!((world.dump(), world.traces()), before);
        world.apply(vec![Change::DeleteUser { id: UserId::new("u-new") }]).unwrap();
        assert_eq!(world.apply(vec![Change::RestoreUser { id: UserId::new("u-ann") }]).unwrap().restored, 1);
        assert_eq!(world.user("bob@x").id, UserId::new("u-ann"));
    });
}

#[test]
fn circles_unknown_ids_and_bad_documents_change_nothing() {
    on_each(options, |_, store| {
        let world = World::on(store);
        filled(&world);
        let before = (world.dump(), world.traces());
        let refusal = |batch| world.apply(batch).unwrap_err().to_string();
        assert_eq!(
            refusal(vec![group("g-new", "New"), add("g-inner", nested("g-all"))]),
            "a group cannot be a member of itself: Inner > All > Team > Inner; leave out one of these memberships"
        );
        assert!(refusal(vec![add("g-all", nested("g-all"))]).contains("All > All"));
        assert!(refusal(vec![add("g-all", user_member("nobody"))]).starts_with("there is no user 'nobody'"));
        assert!(
            refusal(vec![add("nothing", user_member("u-ann"))]).starts_with("there is no group 'nothing'")
        );
        assert!(refusal(vec![update("nobody", json!({}))]).starts_with("there is no user 'nobody'"));
        assert!(refusal(vec![create("u-2", json!({"title": "x"}))]).contains("userName is required"));
        let secret = refusal(vec![create("u-2", json!({"userName": "x", "password": "hunter2"}))]);
        assert!(secret.contains("password is a secret") && !secret.contains("hunter2"), "{secret}");
        assert!(refusal(vec![create("u-2", json!({"userName": "x", "shoeSize": 3}))]).contains("shoeSize"));
        let deleted_first =
            vec![Change::DeleteUser { id: UserId::new("u-ann") }, add("g-all", user_member("u-ann"))];
        assert!(refusal(deleted_first).starts_with("there is no user 'u-ann'"));
        assert_eq!((world.dump(), world.traces()), before);
    });
}

#[test]
fn effective_members_go_through_nested_groups_and_end_at_deleted_ones() {
    on_each(options, |_, store| {
        let world = World::on(store);
        filled(&world);
        let all = GroupId::new("g-all");
        let members = |even_deleted| {
            let all = all.clone();
            world.read(move |tx, tenant| member::effective_users(tx, tenant, &all, "", 10, even_deleted))
        };
        let above = |id: &'static str| world.read(move |tx, tenant| member::ancestors(tx, tenant, id));
        let ids = |list: &[&str]| list.iter().map(|id| UserId::new(*id)).collect::<Vec<_>>();
        assert_eq!(members(false), ids(&["u-ann", "u-bob"]));
        assert_eq!(above("u-ann"), ["g-all", "g-inner", "g-team"].map(GroupId::new));
        let page = all.clone();
        let second =
            world.read(move |tx, tenant| member::effective_users(tx, tenant, &page, "u-ann", 10, false));
        assert_eq!(second, ids(&["u-bob"]));
        world.apply(vec![Change::DeleteGroup { id: GroupId::new("g-team") }]).unwrap();
        assert_eq!(members(false), ids(&["u-bob"]));
        assert_eq!(members(true), ids(&["u-ann", "u-bob"]));
        assert_eq!(above("u-ann"), [GroupId::new("g-inner")]);
        world.apply(vec![Change::DeleteUser { id: UserId::new("u-bob") }]).unwrap();
        assert_eq!(members(false), ids(&[]));
        let gone =
            world.read(move |tx, tenant| member::is_effective(tx, tenant, &all, &UserId::new("u-bob")));
        assert!(!gone);
    });
}

#[test]
fn reports_are_found_by_any_reference_of_their_manager() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let report = |id: &str, manager: &str| {
            create(id, json!({"userName": id, (scim::urn::ENTERPRISE_USER): {"manager": {"value": manager}}}))
        };
        world
            .apply(vec![report("a", "E1"), report("b", "ANN@x"), report("c", "other"), report("d", "id-1")])
            .unwrap();
        let found = world.read(|tx, tenant| user::reports_of(tx, tenant, &["id-1", "E1", "ann@x"], "", 10));
        assert_eq!(found, ["a", "b", "d"].map(UserId::new));
    });
}

#[test]
fn use_cases_take_references_and_say_what_changed() {
    let world = World::inline();
    let (engine, tenant) = (&world.engine, &world.tenant);
    let set = |pairs: &[(&str, &str)]| Edits {
        set: pairs.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect(),
        unset: Vec::new(),
    };
    let edits =
        set(&[("userName", "ann"), ("emails[type eq \"work\"].value", "a@x"), ("displayName", "Ann")]);
    let ann = block_on(directory::create_user(engine, tenant, edits)).unwrap();
    assert_eq!((ann.source.as_str(), ann.label()), ("console", "Ann"));
    block_on(directory::create_group(engine, tenant, set(&[("displayName", "Team")]))).unwrap();
    block_on(directory::create_group(engine, tenant, set(&[("displayName", "All")]))).unwrap();
    assert!(block_on(directory::add_member(engine, tenant, "team", "ANN")).unwrap());
    assert!(!block_on(directory::add_member(engine, tenant, "team", "ann")).unwrap());
    assert!(block_on(directory::add_member(engine, tenant, "All", "Team")).unwrap());
    let view = block_on(directory::show_user(engine, tenant, "ann")).unwrap();
    assert_eq!((view.direct.len(), view.effective.len()), (1, 2));
    let all = block_on(directory::show_group(engine, tenant, "all", 10)).unwrap();
    assert_eq!((all.users.len(), all.groups.len(), all.effective_users, all.more), (0, 1, 1, false));
    let off = block_on(directory::set_active(engine, tenant, "ann", false)).unwrap();
    assert!(off.changed && !off.object.active);
    assert!(!block_on(directory::set_active(engine, tenant, "ann", false)).unwrap().changed);
    let edits = Edits { unset: vec!["emails[type eq \"work\"].value".into()], ..set(&[("title", "Dr")]) };
    let edited = block_on(directory::edit_user(engine, tenant, "ann", edits)).unwrap().object;
    assert_eq!((edited.doc.get("emails"), edited.doc["title"].as_str()), (None, Some("Dr")));
    let wrong = block_on(directory::edit_user(engine, tenant, "ann", set(&[("titel", "Dr")]))).unwrap_err();
    assert_eq!(wrong.to_string(), "'titel' is no attribute of a User; the nearest known is title");
    assert!(block_on(directory::remove_member(engine, tenant, "team", "ann")).unwrap());
    let renamed =
        block_on(directory::edit_group(engine, tenant, "team", set(&[("displayName", "Crew")]))).unwrap();
    assert_eq!(renamed.object.display_name, "Crew");
    block_on(directory::delete_group(engine, tenant, "crew")).unwrap();
    block_on(directory::delete_user(engine, tenant, "ann")).unwrap();
    let gone = block_on(directory::show_user(engine, tenant, "ann")).unwrap_err();
    assert_eq!(
        gone.to_string(),
        "there is no user 'ann'; name it by userName, externalId or id; lockstep user list shows all"
    );
    assert_eq!(block_on(directory::list_groups(engine, tenant, "", 10)).unwrap().len(), 1);
}

#[test]
fn of_many_at_once_one_gets_the_name_and_no_circle_comes_to_be() {
    on_each(options, |name, store| {
        let world = World::on(store);
        world.apply(vec![group("g-a", "A"), group("g-b", "B"), group("g-c", "C")]).unwrap();
        let taken: Vec<_> =
            at_once(8, |n| world.apply(vec![create(&format!("u-{n}"), json!({"userName": "same"}))]));
        assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 1, "{name}");
        assert!(
            taken.iter().filter_map(|result| result.as_ref().err()).all(|error| error.code() == "conflict")
        );
        let ring = [("g-a", "g-b"), ("g-b", "g-c"), ("g-c", "g-a")];
        let nested_in_ring = at_once(3, |n| world.apply(vec![add(ring[n].0, nested(ring[n].1))]));
        assert_eq!(nested_in_ring.iter().filter(|result| result.is_ok()).count(), 2, "{name}");
        let nestings = world.read(member::nestings);
        assert_eq!(nestings.len(), 2, "{name}");
    });
}

/// Runs a job in that many threads, which all begin at the same time.
fn at_once<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let start = |n| {
            let (barrier, job) = (&barrier, &job);
            scope.spawn(move || {
                barrier.wait();
                job(n)
            })
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
