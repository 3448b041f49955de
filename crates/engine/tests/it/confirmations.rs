//! s19: accounts that no source has named for long.

use std::collections::BTreeSet;

use engine::confirmations::{confirm, unconfirmed};
use engine::directory::{Edits, create_user, delete_user};
use futures::executor::block_on;
use store::testing::on_each;

use crate::load::{USERS, csv, run};
use crate::world::{World, options};

const DAY: i64 = 24 * 3_600_000;

fn stale(world: &World, days: i64) -> Vec<String> {
    let found = block_on(unconfirmed(&world.engine, &world.tenant, days * DAY)).unwrap();
    let mut names: Vec<String> = found.into_iter().map(|found| found.user.user_name).collect();
    names.sort();
    names
}

fn name(world: &World, source: &str, user: &'static str) {
    let id = world.user(user).id.to_string();
    block_on(confirm(&world.engine, &world.tenant, source, BTreeSet::from([id]))).unwrap();
}

#[test]
fn s19_who_is_named_by_any_source_is_not_reported_and_files_name_whom_they_do_not_change() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let mut request = csv(USERS, "", "");
        (request.groups, request.members) = (None, None);
        run(&world, request.clone()).unwrap();
        let by_hand = Edits { set: vec![("userName".into(), "hand@x".into())], unset: vec![] };
        block_on(create_user(&world.engine, &world.tenant, by_hand)).unwrap();
        let all = world.dump().len();
        assert!(stale(&world, 1).is_empty(), "everybody is new");
        world.advance(91 * DAY);
        assert_eq!(stale(&world, 90).len(), all);
        // The file names everybody in it again, and changes nothing.
        assert_eq!(run(&world, request).unwrap().job, None);
        assert_eq!(stale(&world, 90), ["hand@x"]);
        world.advance(60 * DAY);
        name(&world, "connection:okta", "bob@x");
        world.advance(60 * DAY);
        assert!(!stale(&world, 90).contains(&"bob@x".to_owned()));
        let found = block_on(unconfirmed(&world.engine, &world.tenant, 90 * DAY)).unwrap();
        let of = |name: &str| found.iter().find(|found| found.user.user_name == name).unwrap().last.clone();
        assert_eq!((of("hand@x"), of("ann@x").unwrap().0.as_str()), (None, "file"));
        block_on(delete_user(&world.engine, &world.tenant, "hand@x")).unwrap();
        assert!(!stale(&world, 90).contains(&"hand@x".to_owned()));
    });
}

#[test]
fn a_source_is_noted_once_a_day() {
    let world = World::inline();
    run(&world, csv(USERS, crate::load::GROUPS, crate::load::MEMBERS)).unwrap();
    let at = |world: &World| {
        world.advance(10 * DAY);
        let found = block_on(unconfirmed(&world.engine, &world.tenant, 0)).unwrap();
        let bob = found.into_iter().find(|found| found.user.user_name == "bob@x").unwrap();
        world.advance(-10 * DAY);
        bob.last.unwrap().1
    };
    world.advance(DAY);
    name(&world, "connection:okta", "bob@x");
    let first = at(&world);
    world.advance(DAY / 2);
    name(&world, "connection:okta", "bob@x");
    assert_eq!(at(&world), first);
    world.advance(DAY / 2 + 1_000);
    name(&world, "connection:okta", "bob@x");
    assert!(at(&world) > first + DAY / 2);
}
