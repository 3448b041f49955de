//! `directory load` of good files: what it creates, changes and leaves alone.

use engine::directory::{self};
use engine::load::{Counts, Format, LoadFile, LoadReport, LoadRequest, load};
use engine::{Engine, EngineError};
use futures::executor::block_on;
use serde_json::json;
use store::repo::change;
use store::testing::on_each;

use crate::world::{World, options};

/// Runs a load.
pub(crate) fn run(world: &World, request: LoadRequest) -> Result<LoadReport, EngineError> {
    let engine: &Engine = &world.engine;
    block_on(load(engine, &world.tenant, request, &mut |_, _| ()))
}

/// A request of CSV texts: users, groups, members; empty ones are left out.
pub(crate) fn csv(users: &str, groups: &str, members: &str) -> LoadRequest {
    let file = |name: &str, text: &str| (!text.is_empty()).then(|| LoadFile::new(name, text));
    LoadRequest {
        users: file("users.csv", users),
        groups: file("groups.csv", groups),
        members: file("members.csv", members),
        ..LoadRequest::default()
    }
}

pub(crate) const USERS: &str = "\
externalId,userName,name.givenName,\"emails[type eq \"\"work\"\"].value\",active,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value
E1,ann@x,Ann,ann@mail,true,
E2,bob@x,Bob,,,ann@x
E3,cy@x,Cy,cy@mail,false,E1
";
pub(crate) const GROUPS: &str = "externalId,displayName\nG1,Team\n,All\n";
pub(crate) const MEMBERS: &str = "group,member\nG1,E1\nteam,BOB@x\nAll,Team\n";

#[test]
fn users_groups_and_members_are_loaded_once() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let report = run(&world, csv(USERS, GROUPS, MEMBERS)).unwrap();
        assert_eq!(report.preview.users, Counts { create: 3, ..Counts::default() });
        assert_eq!((report.preview.groups.create, report.preview.members_add), (2, 3));
        assert_eq!((report.applied.created, report.applied.members_added), (5, 3));
        assert_eq!(report.refused, Vec::<String>::new());
        let bob = world.user("E2");
        assert!(bob.active && bob.doc.get("emails").is_none());
        assert_eq!((bob.manager_ref(), bob.source.as_str()), (Some("ann@x"), "file"));
        assert!(!world.user("E3").active);
        assert!(world.dump().contains_key("All > Team"));
        let changes = world.read(|tx, tenant| change::first(tx, tenant, 100));
        assert!(changes.iter().all(|change| change.priority == 8 && change.wave == changes[0].wave));
        let before = (world.dump(), world.traces());
        let again = run(&world, csv(USERS, GROUPS, MEMBERS)).unwrap();
        assert_eq!((again.preview.users.unchanged, again.preview.groups.unchanged), (3, 2));
        assert_eq!((again.preview.members_unchanged, again.applied.effective()), (3, 0));
        assert_eq!((world.dump(), world.traces()), before);
    });
}

#[test]
fn an_absent_column_keeps_an_empty_cell_clears_and_active_stays() {
    let world = World::inline();
    run(&world, csv(USERS, "", "")).unwrap();
    let changed = "externalId,\"emails[type eq \"\"work\"\"].value\",active\nE1,,\nE3,new@mail,\n";
    let report = run(&world, csv(changed, "", "")).unwrap();
    assert_eq!(report.preview.users, Counts { update: 2, ..Counts::default() });
    let (ann, cy) = (world.user("E1"), world.user("E3"));
    assert_eq!((ann.doc.get("emails"), ann.doc["name"]["givenName"].as_str()), (None, Some("Ann")));
    assert_eq!((cy.active, cy.doc["emails"][0]["value"].as_str(), cy.version), (false, Some("new@mail"), 2));
    assert_eq!(world.user("E2").version, 1);
}

#[test]
fn json_lines_say_the_same_and_null_clears() {
    let world = World::inline();
    let users = r#"{"externalId": "E1", "userName": "ann@x", "name": {"givenName": "Ann", "familyName": "Lee"}, "active": false}

{"userName": "bob@x", "emails": [{"value": "b@x", "type": "work"}]}
"#;
    let request = |users: &str, members: &str| LoadRequest {
        users: Some(LoadFile::new("users.jsonl", users)),
        members: (!members.is_empty())
            .then(|| LoadFile { format: Some(Format::JsonLines), ..LoadFile::new("members.txt", members) }),
        groups: Some(LoadFile::new("groups.csv", GROUPS)),
        ..LoadRequest::default()
    };
    run(&world, request(users, "{\"group\": \"Team\", \"member\": \"bob@x\"}\n")).unwrap();
    assert!(world.dump().contains_key("Team > bob@x"));
    let changed = r#"{"EXTERNALID": "E1", "name": {"familyName": null}, "active": null}"#;
    let report = run(&world, request(changed, "")).unwrap();
    assert_eq!(report.preview.users.update, 1);
    let ann = world.user("E1");
    assert_eq!((&ann.doc["name"], ann.active), (&json!({"givenName": "Ann"}), false));
}

#[test]
fn columns_are_mapped_or_left_out() {
    let world = World::inline();
    let mut request = csv("Login,Vorname,Note\nann@x,Ann,secret\n", "", "");
    request.map = [("login", "userName"), ("Vorname", "name.givenName"), ("Note", "")]
        .map(|(column, path)| (column.to_owned(), path.to_owned()))
        .to_vec();
    run(&world, request).unwrap();
    assert_eq!(world.user("ann@x").doc["name"]["givenName"], json!("Ann"));
}

#[test]
fn tricky_texts_arrive_as_they_are() {
    let world = World::inline();
    let users = "\u{feff}userName,displayName,title\r\n\
        zoë@x,\"Zoë \"\"Zed\"\" O'Brien\",\"two\r\nlines\"\r\n\
        🦀@x,\"Müller, Jürgen\", spaced \r\n\
        ΣΊΣΥΦΟΣ@x,李小龍,'; DROP TABLE usr; --\r\n";
    run(&world, csv(users, "", "")).unwrap();
    let shown = |name: &'static str| {
        let user = world.user(name);
        (user.label().to_owned(), user.doc["title"].as_str().unwrap().to_owned())
    };
    assert_eq!(shown("ZOË@x"), ("Zoë \"Zed\" O'Brien".to_owned(), "two\r\nlines".to_owned()));
    assert_eq!(shown("🦀@X"), ("Müller, Jürgen".to_owned(), " spaced ".to_owned()));
    assert_eq!(shown("σίσυφος@x"), ("李小龍".to_owned(), "'; DROP TABLE usr; --".to_owned()));
    assert_eq!(run(&world, csv(users, "", "")).unwrap().preview.users.unchanged, 3);
}

#[test]
fn a_row_means_the_user_of_its_external_id_else_of_its_user_name() {
    let world = World::inline();
    run(&world, csv("externalId,userName\nE1,ann@x\n,bob@x\n", "", "")).unwrap();
    let (ann, bob) = (world.user("ann@x").id, world.user("bob@x").id);
    // E1 is renamed, bob@x gets an externalId, and somebody new takes the name that E1 had.
    let report = run(&world, csv("externalId,userName\nE9,ANN@x\nE1,ann2@x\nE2,bob@x\n", "", "")).unwrap();
    assert_eq!(report.preview.users, Counts { create: 1, update: 2, ..Counts::default() });
    assert_eq!((world.user("E1").id, world.user("E2").id), (ann.clone(), bob));
    assert_ne!(world.user("ann@x").id, ann);
    run(&world, csv("externalId,userName\nE1,ann@x\nE9,ann2@x\n", "", "")).unwrap();
    assert_eq!(world.user("ann@x").id, ann);
}

#[test]
fn names_that_change_hands_across_chunks_are_applied_together() {
    let world = World::inline();
    let users = |shift: usize| {
        let rows = (0..450).map(|n| format!("E{n},user{}@x\n", (n + shift) % 450));
        format!("externalId,userName\n{}", rows.collect::<String>())
    };
    run(&world, csv(&users(0), "", "")).unwrap();
    let report = run(&world, csv(&users(1), "", "")).unwrap();
    assert_eq!((report.applied.updated, report.refused.len()), (450, 0));
    assert_eq!(world.user("E449").user_name, "user0@x");
}

#[test]
fn a_dry_run_writes_nothing_and_a_complete_load_deactivates_who_is_missing() {
    let world = World::inline();
    run(&world, csv(USERS, "", "")).unwrap();
    block_on(directory::create_user(
        &world.engine,
        &world.tenant,
        directory::Edits { set: vec![("userName".into(), "by-hand".into())], unset: vec![] },
    ))
    .unwrap();
    let before = (world.dump(), world.traces());
    let complete = LoadRequest { complete: true, ..csv("externalId\nE1\n", "", "") };
    let dry = run(&world, LoadRequest { dry_run: true, ..complete.clone() }).unwrap();
    // E3 is inactive already, and by-hand belongs to another source.
    let expected = Counts { unchanged: 1, deactivate: 1, ..Counts::default() };
    assert_eq!((dry.preview.users, dry.applied.effective()), (expected, 0));
    assert_eq!((world.dump(), world.traces()), before);
    run(&world, complete).unwrap();
    assert!(!world.user("E2").active && world.user("E1").active && world.user("by-hand").active);
}

#[test]
fn the_examples_load() {
    let read = |name: &str| {
        let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
        Some(LoadFile::new(name, std::fs::read(path).unwrap()))
    };
    let request = LoadRequest {
        users: read("users.csv"),
        groups: read("groups.csv"),
        members: read("members.csv"),
        ..LoadRequest::default()
    };
    let lines = |file: &Option<LoadFile>| {
        file.as_ref().unwrap().bytes.iter().filter(|byte| **byte == b'\n').count() - 1
    };
    let (users, groups, members) = (lines(&request.users), lines(&request.groups), lines(&request.members));
    let world = World::inline();
    let report = run(&world, request.clone()).unwrap();
    assert_eq!((report.applied.created, report.applied.members_added), (users + groups, members));
    assert_eq!(world.dump().len(), users + groups + members);
    assert_eq!(run(&world, request).unwrap().applied.effective(), 0);
}
