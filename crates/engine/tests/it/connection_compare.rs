//! An export of an identity provider beside what it pushed.

use domain::connection::{ConnectionSettings, IdentityProvider};
use domain::directory::Change;
use domain::ids::{GroupId, UserId};
use engine::connection_compare::{ConnectionComparison, compare};
use engine::connections;
use engine::load::{LoadFile, LoadRequest, Preset};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::testing::on_each;

use crate::world::{World, options, user_member};

const SOURCE: &str = "connection:okta";

fn user(id: &str, doc: Value) -> Change {
    Change::CreateUser { id: UserId::new(id), source: SOURCE.into(), doc }
}

fn group(id: &str, name: &str) -> Change {
    let doc = json!({"displayName": name});
    Change::CreateGroup { id: GroupId::new(id), source: SOURCE.into(), doc }
}

fn joins(group: &str, user: &str) -> Change {
    Change::AddMember { group: GroupId::new(group), member: user_member(user) }
}

fn world(store: store::Store) -> World {
    let world = World::on(store);
    let settings = ConnectionSettings {
        exclude: Some("userName sw \"robot\"".into()),
        ..ConnectionSettings::of(IdentityProvider::Okta)
    };
    block_on(connections::add(&world.engine, &world.tenant, "okta", IdentityProvider::Okta, settings))
        .unwrap();
    let person = |name: &str, id: &str| json!({"userName": name, "externalId": id, "title": "Engineer"});
    world
        .apply(vec![
            user("u1", person("ada@x", "1")),
            user("u2", person("bob@x", "2")),
            user("u3", person("eve@x", "3")),
            user("u4", person("left@x", "4")),
            group("g1", "Engineers"),
            joins("g1", "u1"),
        ])
        .unwrap();
    world.apply(vec![Change::DeleteUser { id: UserId::new("u3") }]).unwrap();
    world
}

fn compared(world: &World, request: LoadRequest) -> ConnectionComparison {
    let before = world.traces();
    let found = block_on(compare(&world.engine, &world.tenant, "okta", request)).unwrap();
    assert_eq!(world.traces(), before, "a comparison changes nothing");
    found
}

fn file(name: &str, text: &str) -> Option<LoadFile> {
    Some(LoadFile::new(name, text.as_bytes().to_vec()))
}

#[test]
fn s20_what_the_identity_provider_has_and_did_not_send_is_listed_with_the_step_that_sends_it() {
    on_each(options, |_, store| {
        let world = world(store);
        let found = compared(
            &world,
            LoadRequest {
                users: file(
                    "users.csv",
                    "userName,externalId,title,active\nADA@x,1,Engineer,true\nbob@x,2,Chief,true\neve@x,3,Engineer,true\n\
                     new@x,9,Engineer,true\nrobot-1@x,10,,true\ngone@x,11,,false\n",
                ),
                groups: file("groups.csv", "displayName\nEngineers\nSales\n"),
                members: file(
                    "members.csv",
                    "group,member\nEngineers,ada@x\nEngineers,bob@x\nEngineers,new@x\nSales,ada@x\n",
                ),
                ..LoadRequest::default()
            },
        );
        let said: Vec<(&str, &str, &str)> =
            found.lacks.iter().map(|lack| (lack.kind, lack.name.as_str(), lack.state)).collect();
        assert_eq!(
            said,
            [
                ("user", "bob@x", "differs"),
                ("user", "eve@x", "deleted"),
                ("user", "new@x", "missing"),
                ("group", "Sales", "missing"),
                ("member", "Engineers > bob@x", "missing"),
                ("member", "Engineers > new@x", "waits"),
                ("member", "Sales > ada@x", "waits"),
            ]
        );
        let differs = &found.lacks[0].attributes;
        assert_eq!((differs.len(), differs[0].path.as_str()), (1, "title"));
        assert_eq!((differs[0].theirs.as_str(), differs[0].ours.as_str()), ("Chief", "Engineer"));
        assert_eq!(found.lacks[1].line, 4);
        assert!(found.lacks[0].step.contains("Force Sync"), "{}", found.lacks[0].step);
        assert!(found.lacks[1].step.contains("unassign the user and assign it again"));
        assert!(found.lacks[4].step.contains("Push now"));
        // Ada, Engineers and her membership; the robot and the leaver are not expected; left@x is only here.
        assert_eq!((found.same, found.not_expected, found.only_here), (3, 2, 1));
    });
}

#[test]
fn s20_an_export_is_read_by_its_preset_and_a_bad_row_does_not_hide_the_others() {
    let world = world(store::Store::open_inline().unwrap());
    let found = compared(
        &world,
        LoadRequest {
            users: file(
                "okta.csv",
                "login,title,status\nada@x,Engineer,ACTIVE\nbob@x,Engineer,ACTIVE\nnew@x,,ACTIVE\n",
            ),
            preset: Preset::named("okta"),
            ..LoadRequest::default()
        },
    );
    assert_eq!((found.same, found.lacks.len(), found.lacks[0].name.as_str()), (2, 1, "new@x"));
    let found = compared(
        &world,
        LoadRequest {
            users: file("users.csv", "userName,active\nada@x,perhaps\nnew@x,true\n"),
            ..LoadRequest::default()
        },
    );
    assert_eq!((found.problems.len(), found.lacks.len()), (1, 1), "{:?}", found.problems);
}
