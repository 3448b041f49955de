//! Taking a load back: everything as before, what changed since named and left alone, the guard, and undo of the undo.

use engine::EngineError;
use engine::directory::{self, Edits};
use engine::load::{LoadReport, LoadRequest, UndoPreview, UndoReport, UndoRequest, list_loads, undo};
use futures::executor::block_on;
use serde_json::json;
use store::testing::on_each;

use crate::load::{GROUPS, MEMBERS, USERS, csv, run};
use crate::world::{World, options};

fn take_back(world: &World, request: UndoRequest) -> Result<UndoReport, EngineError> {
    block_on(undo(&world.engine, &world.tenant, request, &mut |_, _| ()))
}

fn set(world: &World, user: &str, path: &str, value: &str) {
    let edits = Edits { set: vec![(path.to_owned(), value.to_owned())], unset: vec![] };
    block_on(directory::edit_user(&world.engine, &world.tenant, user, edits)).unwrap();
}

fn load(world: &World, users: &str, groups: &str, members: &str) -> LoadReport {
    run(world, csv(users, groups, members)).unwrap()
}

/// Changes one, creates one, swaps two names, renames a group, adds members.
const SECOND: &str =
    "externalId,userName,title,active\nE1,bob@x,Boss,true\nE2,ann@x,,false\nE9,new@x,New,true\n";

#[test]
fn a_load_is_taken_back_and_the_undo_too() {
    on_each(options, |_, store| {
        let world = World::on(store);
        load(&world, USERS, GROUPS, MEMBERS);
        let before = world.dump();
        load(&world, SECOND, "externalId,displayName\nG1,Crew\nG2,Fresh\n", "group,member\nG1,E9\nG2,E1\n");
        let after = world.dump();
        assert_ne!(before, after);
        let dry = take_back(&world, UndoRequest { dry_run: true, ..UndoRequest::default() }).unwrap();
        let expected = UndoPreview {
            users_delete: 1,
            users_update: 2,
            groups_delete: 1,
            groups_update: 1,
            ..UndoPreview::default()
        };
        assert_eq!((dry.preview, dry.job.is_none(), world.dump()), (expected, true, after.clone()));
        let done = take_back(&world, UndoRequest::default()).unwrap();
        assert_eq!((done.preview, done.kept.len(), done.refused.len()), (expected, 0, 0));
        assert_eq!(world.dump(), before);
        // Asked once more for the same load, there is nothing to do.
        let again = UndoRequest { job: Some(done.load.id.clone()), ..UndoRequest::default() };
        let again = take_back(&world, again).unwrap();
        assert_eq!((again.preview.already, again.kept.len(), again.job), (5, 0, None));
        // Without an id, the one before it is meant; the undo itself is undone by its id.
        let redone = take_back(&world, UndoRequest { job: done.job, ..UndoRequest::default() }).unwrap();
        assert_eq!((redone.preview.users_restore, redone.preview.groups_restore), (1, 1));
        assert_eq!(world.dump(), after);
        let loads = block_on(list_loads(&world.engine, &world.tenant, 10)).unwrap();
        assert_eq!(loads.len(), 4);
        assert!(loads[1].label.starts_with("undo of ") && loads[1].label.ends_with("members.csv"));
    });
}

#[test]
fn what_changed_since_is_left_alone_and_named() {
    let world = World::inline();
    load(&world, USERS, GROUPS, MEMBERS);
    load(&world, "externalId,userName,title\nE1,ann@x,Boss\nE2,bob@x,Clerk\nE8,eve@x,\nE9,new@x,\n", "", "");
    set(&world, "E1", "title", "Chief");
    set(&world, "E9", "title", "Hired");
    block_on(directory::add_member(&world.engine, &world.tenant, "All", "E8")).unwrap();
    let done = take_back(&world, UndoRequest::default()).unwrap();
    assert_eq!((done.preview.users_update, done.preview.users_delete), (1, 0));
    let kept = done.kept.join("\n");
    for (name, reason) in [("ann@x", "changed"), ("new@x", "changed"), ("eve@x", "put into a group")] {
        let line =
            done.kept.iter().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {kept}"));
        assert!(line.contains(reason), "{line}");
    }
    assert_eq!(world.user("E1").doc["title"], json!("Chief"));
    assert_eq!(world.user("E2").doc.get("title"), None);
    assert!(world.dump().contains_key("All > eve@x"));
    let error = take_back(&world, UndoRequest { source: "hr".into(), ..UndoRequest::default() }).unwrap_err();
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
}

#[test]
fn a_created_user_who_was_changed_keeps_the_memberships_of_the_load() {
    let world = World::inline();
    load(&world, USERS, GROUPS, MEMBERS);
    set(&world, "E1", "title", "Chief");
    let done = take_back(&world, UndoRequest::default()).unwrap();
    assert_eq!((done.kept.len(), done.preview.users_delete, done.preview.groups_delete), (1, 2, 2));
    let dump: Vec<String> = world.dump().into_keys().collect();
    assert_eq!(dump, ["ann@x"], "the groups are gone, and may be restored with their members");
    block_on(directory::restore_group(&world.engine, &world.tenant, "Team")).unwrap();
    assert!(world.dump().contains_key("Team > ann@x"));
}

#[test]
fn the_guard_holds_an_undo_that_takes_many_away() {
    let world = World::inline();
    let people: String = (0..30).map(|n| format!("u{n}@x\n")).collect();
    load(&world, &format!("userName\n{people}"), "", "");
    let before = world.dump();
    let dry = take_back(&world, UndoRequest { dry_run: true, ..UndoRequest::default() }).unwrap();
    assert!(dry.held.unwrap().contains("--allow-deactivations 30"));
    for allow_deactivations in [None, Some(29)] {
        let error =
            take_back(&world, UndoRequest { allow_deactivations, ..UndoRequest::default() }).unwrap_err();
        assert!(matches!(error, EngineError::Held(_)), "{error}");
    }
    assert_eq!(world.dump(), before);
    take_back(&world, UndoRequest { allow_deactivations: Some(30), ..UndoRequest::default() }).unwrap();
    assert!(world.dump().is_empty());
    let complete = |users: &str| LoadRequest { complete: true, ..csv(users, "", "") };
    assert_eq!(run(&world, complete("userName\nu1@x\n")).unwrap().preview.users.create, 1);
}
