//! A load that is interrupted at any point is finished by the next one, without loss and without doing anything twice.

use std::sync::Arc;

use engine::load::{LoadReport, LoadRequest, load, resume};
use engine::{EngineError, directory};
use futures::executor::block_on;
use store::repo::{change, load_job};
use store::testing::on_each;
use store::{Fault, Faults, Location, OpenOptions, Store, Trigger};

use crate::load::{csv, run};
use crate::world::{World, options};

const CHANGES: usize = 250 + 3 + 400;

/// 250 users, 3 groups, 400 memberships: several chunks of staging and of applying.
fn request() -> LoadRequest {
    let users: String = (0..250).map(|n| format!("E{n},user{n}@x\n")).collect();
    let members: String = (0..400).map(|n| format!("G{},E{}\n", n / 200, n % 200)).collect();
    csv(
        &format!("externalId,userName\n{users}"),
        "externalId,displayName\nG0,Zero\nG1,One\nG2,Two\n",
        &format!("group,member\n{members}"),
    )
}

/// Fails the commit with that number, and every attempt to repeat it.
fn fail_commit(faults: &Faults, number: u64) {
    faults.disarm();
    faults.arm(Trigger::Commit(number), Fault::Io);
    faults.arm(Trigger::Commit(number + 1), Fault::Io);
}

/// The directory holds the whole load, once, with marks of one wave.
fn check_whole(world: &World, expected: &World) {
    assert_eq!(world.dump(), expected.dump());
    let count = i64::try_from(CHANGES).unwrap();
    assert_eq!(world.traces(), (count, count));
    let changes = world.read(|tx, tenant| change::first(tx, tenant, 10_000));
    assert!(changes.iter().all(|change| change.wave == changes[0].wave));
    assert_eq!(world.read(load_job::open), []);
}

#[test]
fn every_commit_may_be_the_last_before_a_crash() {
    let expected = World::inline();
    run(&expected, request()).unwrap();
    let mut crashes = (0, 0);
    for number in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("test.db"));
        let faults = Arc::new(Faults::default());
        let open = |faults| Store::open(&location, OpenOptions { faults, ..options() }).unwrap();
        let world = World::on(open(Some(faults.clone())));
        fail_commit(&faults, number);
        let first: Result<LoadReport, EngineError> = run(&world, request());
        let failed = first.is_err();
        drop(world);
        let world = World::on(open(None));
        let report = run(&world, request()).unwrap();
        check_whole(&world, &expected);
        match report.resumed {
            Some(resumed) => {
                assert_eq!((report.applied.effective(), resumed.refused.len()), (0, 0), "commit {number}");
                assert!(resumed.applied.effective() <= CHANGES);
                assert_eq!(resumed.label, "users.csv, groups.csv, members.csv");
                crashes.1 += 1;
            }
            None if failed => {
                assert_eq!(report.applied.effective(), CHANGES, "commit {number}");
                crashes.0 += 1;
            }
            None => break,
        }
    }
    println!("crashes while staging: {}, while applying: {}", crashes.0, crashes.1);
    assert!(crashes.0 >= 3 && crashes.1 >= 4, "{crashes:?}");
}

#[test]
fn progress_counts_up_and_a_failure_midway_is_resumed_on_its_own() {
    let faults = Arc::new(Faults::default());
    let world = World::on(
        Store::open_inline_with(OpenOptions { faults: Some(faults.clone()), ..options() }).unwrap(),
    );
    let mut seen = Vec::new();
    let midway = block_on(load(&world.engine, &world.tenant, request(), &mut |done, total| {
        seen.push((done, total));
        if seen.len() == 2 {
            faults.arm(Trigger::EveryCommit, Fault::Io);
        }
    }));
    assert_eq!(midway.unwrap_err().code(), "database-io");
    assert_eq!(seen, [(200, CHANGES), (400, CHANGES)]);
    faults.disarm();
    let resumed = block_on(resume(&world.engine, &world.tenant)).unwrap().unwrap();
    assert_eq!(resumed.applied.effective(), CHANGES - 400);
    assert_eq!(block_on(resume(&world.engine, &world.tenant)).unwrap(), None);
    let expected = World::inline();
    run(&expected, request()).unwrap();
    check_whole(&world, &expected);
}

#[test]
fn what_changed_during_the_interruption_is_not_overwritten() {
    let faults = Arc::new(Faults::default());
    let with_faults = || OpenOptions { faults: Some(faults.clone()), ..options() };
    on_each(with_faults, |_, store| {
        let world = World::on(store);
        run(&world, csv("externalId,userName\nE1,ann@x\nE2,bob@x\n", "", "")).unwrap();
        let users = "externalId,userName,title\nE1,ann@x,Dr\nE2,bob@x,Dr\nE3,cy@x,\nE4,di@x,\n";
        interrupt_when_staged(&world, &faults, &csv(users, "", ""));
        let edits = directory::Edits { set: vec![("title".into(), "Professor".into())], unset: vec![] };
        block_on(directory::edit_user(&world.engine, &world.tenant, "E1", edits)).unwrap();
        let taken = directory::Edits { set: vec![("userName".into(), "CY@x".into())], unset: vec![] };
        block_on(directory::create_user(&world.engine, &world.tenant, taken)).unwrap();
        let id = world.user("E1").id;
        let resumed = block_on(resume(&world.engine, &world.tenant)).unwrap().unwrap();
        assert_eq!((resumed.applied.updated, resumed.applied.created), (1, 1));
        let mut refused = resumed.refused;
        refused.sort();
        assert_eq!(refused.len(), 2, "{refused:?}");
        let (changed, taken): (Vec<_>, Vec<_>) =
            refused.into_iter().partition(|text| text.starts_with(id.as_str()));
        assert_eq!(
            changed,
            [format!("{id} was changed while the load was under way and is left as it is; load again")]
        );
        assert!(taken[0].starts_with("userName 'CY@x' is already used by user"), "{taken:?}");
        assert_eq!(world.user("E1").doc["title"], "Professor");
        assert_eq!(world.user("E2").doc["title"], "Dr");
        assert_eq!(world.user("E4").user_name, "di@x");
    });
}

/// Fails a load at the first commit after everything is staged.
fn interrupt_when_staged(world: &World, faults: &Faults, request: &LoadRequest) {
    for number in 1..50 {
        faults.disarm();
        for commit in number..number + 20 {
            faults.arm(Trigger::Commit(commit), Fault::Io);
        }
        run(world, request.clone()).unwrap_err();
        faults.disarm();
        let open = world.read(load_job::open);
        if open.iter().any(|job| job.state == load_job::JobState::Applying) {
            assert_eq!(open[0].applied, 0);
            return;
        }
    }
    panic!("no commit was the first after staging");
}
