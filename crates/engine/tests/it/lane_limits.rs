//! What must not happen in a lane: effects past the guard, loops without end, duplicates and losses by hasty reads.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::app::{AppState, MissingPolicy, WriteMethod};
use domain::directory::Change;
use domain::ids::GroupId;
use engine::compare::Purpose;
use serde_json::json;
use simapp::Config;
use store::{OpenOptions, Store};

use crate::lane_world::{LaneWorld, create_group, create_user, member, no_member, update_user};

fn sqlite() -> Store {
    let folder = tempfile::tempdir().unwrap().keep();
    let location = folder.join("test.db").to_str().unwrap().parse().unwrap();
    Store::open(&location, OpenOptions { create: true, ..OpenOptions::new(1) }).unwrap()
}

async fn world() -> LaneWorld {
    LaneWorld::new(sqlite(), Config::default(), |_| {}).await
}

/// Everybody of the team is in a second group that is pushed but does not assign.
async fn with_extra(world: &LaneWorld, users: usize) {
    world.team(users).await;
    let mut batch = vec![create_group("extra")];
    batch.extend((1..=users).map(|n| member("extra", n)));
    world.apply(batch).await;
    engine::apps::push_add(&world.engine, &world.tenant, "crm", "extra").await.unwrap();
    world.sync(false).await;
    assert_eq!(world.members()["extra"].len(), users);
}

/// Marks every difference; the next run repairs them.
async fn compare(world: &LaneWorld) {
    let found = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    let transport = world.transport().await;
    engine::compare::compare(&world.engine, &world.tenant, &found.id, &transport, Purpose::Repair)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_holds_the_removal_of_many_members_until_it_is_approved() {
    let world = world().await;
    with_extra(&world, 30).await;
    world.apply((1..=20).map(|n| no_member("extra", n)).collect()).await;
    world.sync(false).await;
    assert_eq!(world.members()["extra"].len(), 30);
    assert!(world.causes().await.contains("guard.held"));
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    engine::tasks::approve(&world.engine, &world.tenant, &app.id).await.unwrap();
    world.sync(false).await;
    assert_eq!(world.members()["extra"].len(), 10);
    assert!(world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_one_by_one_are_counted_together() {
    let world = world().await;
    with_extra(&world, 30).await;
    for n in 1..=12 {
        world.apply(vec![no_member("extra", n)]).await;
        world.sync(false).await;
    }
    assert!(world.members()["extra"].len() >= 24, "{}", world.members()["extra"].len());
    assert!(world.causes().await.contains("guard.held"));
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_are_counted_once_however_often_they_are_sent() {
    let world = world().await;
    with_extra(&world, 30).await;
    // Six of thirty is what the guard lets through. Two attempts are lost on the way.
    world.faults(&["groups:lost-answer-before=#1", "groups:lost-answer-before=#2"]);
    world.apply((1..=6).map(|n| no_member("extra", n)).collect()).await;
    world.sync(true).await;
    assert_eq!(world.causes().await, BTreeSet::new());
    assert_eq!(world.members()["extra"].len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_many_members_are_no_removals() {
    let world = world().await;
    with_extra(&world, 30).await;
    let titled =
        |n: usize| update_user(n, json!({"userName": format!("u{n}"), "title": "X", "active": true}));
    let mut batch: Vec<Change> = (1..=30).map(titled).collect();
    batch.push(no_member("extra", 3));
    world.apply(batch).await;
    world.sync(false).await;
    assert_eq!(world.members()["extra"].len(), 29);
    assert!(world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_lost_everybody_is_not_filled_again_without_approval() {
    let world = world().await;
    world.team(30).await;
    world.sync(false).await;
    let ids: Vec<String> =
        world.sim().users().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
    for id in ids {
        world.sim().delete_user(&id, 0).unwrap();
    }
    compare(&world).await;
    world.sync(false).await;
    assert!(world.accounts().len() <= 6, "{}", world.accounts().len());
    assert!(world.causes().await.contains("guard.held"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_counted_once_however_often_it_is_tried() {
    let world = world().await;
    world.team(10).await;
    world.sync(false).await;
    world.faults(&["patch-users:lost-answer-before=1"]);
    world.apply(vec![update_user(1, json!({"userName": "u1", "active": false}))]).await;
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    for _ in 0..8 {
        world.sync(false).await;
        engine::tasks::retry(&world.engine, &world.tenant, &app.id, None).await.unwrap();
    }
    assert!(!world.causes().await.contains("guard.held"));
    world.faults(&[]);
    world.sync(true).await;
    assert!(!world.accounts()["u1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_as_gone_is_not_looked_at_for_ever() {
    let world = world().await;
    world.team(2).await;
    world.set(|app| app.settings.missing = MissingPolicy::Accept).await;
    world.sync(false).await;
    let user = world.sim().user_by_name("u2").unwrap()["id"].as_str().unwrap().to_owned();
    world.sim().delete_user(&user, 0).unwrap();
    compare(&world).await;
    world.sim().reset_seen();
    world.sync(false).await;
    assert!(world.sim().seen().requests < 20, "{:?}", world.sim().seen().by_operation);
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_shows_changes_late_is_not_written_again_and_again() {
    let world = world().await;
    world.team(2).await;
    world.sync(false).await;
    world.sim().set_user("u1", "displayName", json!("by hand"), 0).unwrap();
    compare(&world).await;
    world.faults(&["get-users:lag=1500"]);
    world.sim().reset_seen();
    world.sync(false).await;
    assert!(world.sim().seen().writes <= 2, "{:?}", world.sim().seen().by_operation);
    assert_eq!(world.sim().user_by_name("u1").unwrap()["displayName"], json!("User 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hasty_reads_of_a_slow_app_make_no_duplicates() {
    let config = Config { enforce_user_name_unique: false, unknown_member_status: 404, ..Config::default() };
    let world = LaneWorld::new(sqlite(), config, |settings| settings.read_lag_ms = 3_000).await;
    world.faults(&["get-users:lag=1500", "patch-groups:lag-refs=1500"]);
    world.team(3).await;
    world.sync(true).await;
    world.faults(&[]);
    assert_eq!(world.sim().users().len(), 3);
    compare(&world).await;
    world.sync(true).await;
    assert_eq!(world.members()["team"].len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_an_app_ends_the_run() {
    let world = world().await;
    world.faults(&["latency=50"]);
    world.team(40).await;
    let found = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    let transport = world.transport().await;
    let (engine, tenant) = (world.engine.clone(), world.tenant.clone());
    let run = tokio::spawn(async move {
        engine::lane::run::run_lane(&engine, &tenant, &found.id, transport, false, &|_, _| {}).await
    });
    while world.sim().seen().writes < 5 {
        tokio::task::yield_now().await;
    }
    world.set(|app| app.state = AppState::Paused).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await;
    assert!(ended.is_ok(), "the run goes on although the app is paused");
    assert!(world.accounts().len() < 40, "it stopped before its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_renamed_into_somebody_elses_name_is_a_task_not_a_loop() {
    let world = world().await;
    world.team(2).await;
    world.sync(false).await;
    world.sim().set_user("u1", "userName", json!("u9"), 0).unwrap();
    world.apply(vec![create_user(9, json!({})), member("team", 9)]).await;
    world.sim().reset_seen();
    world.sync(false).await;
    assert!(world.sim().seen().requests < 30, "{:?}", world.sim().seen().by_operation);
    assert!(world.causes().await.contains("match.foreign"), "{:?}", world.causes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_removal_stays_visible_and_is_made_up_for() {
    let world = world().await;
    with_extra(&world, 5).await;
    world.faults(&["members-cap=0"]);
    world.apply(vec![no_member("extra", 3)]).await;
    world.sync(false).await;
    assert_eq!(world.members()["extra"].len(), 5);
    assert!(world.causes().await.contains("member.refused"));
    world.faults(&[]);
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    engine::tasks::retry(&world.engine, &world.tenant, &app.id, None).await.unwrap();
    world.sync(true).await;
    assert_eq!(world.members()["extra"].len(), 4);
    assert!(world.causes().await.is_empty(), "{:?}", world.causes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_members_are_hidden_is_not_replaced() {
    let world =
        LaneWorld::new(sqlite(), Config::default(), |settings| settings.write_with = WriteMethod::Put).await;
    with_extra(&world, 10).await;
    world.faults(&["get-groups:members-hidden"]);
    world.apply(vec![create_user(11, json!({})), member("extra", 11), member("team", 11)]).await;
    world.sync(false).await;
    world.faults(&[]);
    assert!(world.members()["extra"].len() >= 10, "{:?}", world.members()["extra"]);
    assert!(world.causes().await.contains("app.rejected"), "{:?}", world.causes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_anew_under_its_old_name_finds_its_place() {
    let world = world().await;
    with_extra(&world, 3).await;
    let doc = json!({"schemas": [scim::urn::GROUP], "displayName": "extra"});
    let id = GroupId::new("group-0new");
    world
        .apply(vec![
            Change::DeleteGroup { id: GroupId::new("group-extra") },
            Change::CreateGroup { id, source: "test".into(), doc },
        ])
        .await;
    engine::apps::push_add(&world.engine, &world.tenant, "crm", "extra").await.unwrap();
    world.sync(true).await;
    assert_eq!(world.members().len(), 2, "team and the new one: {:?}", world.members());
    assert!(world.causes().await.is_empty(), "{:?}", world.causes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_create_on_sends_the_groups_that_were_parked() {
    let world = world().await;
    world.set(|app| app.settings.create = false).await;
    world.team(2).await;
    world.sync(false).await;
    assert!(world.causes().await.contains("switch.create_off"));
    world.set(|app| app.settings.create = true).await;
    world.sync(true).await;
    assert_eq!(world.members()["team"].len(), 2);
    assert!(world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_committed_behind_a_503_is_found_again() {
    let config = Config { enforce_user_name_unique: false, ..Config::default() };
    let world = LaneWorld::new(sqlite(), config, |_| {}).await;
    world.faults(&["post-users:commit-then-5xx=503@0.3"]);
    world.team(120).await;
    world.sync(true).await;
    assert_eq!(world.sim().users().len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_does_not_fail_those_that_are_written_with_it() {
    let faults = std::sync::Arc::new(store::Faults::default());
    let folder = tempfile::tempdir().unwrap().keep();
    let location = folder.join("test.db").to_str().unwrap().parse().unwrap();
    let options = OpenOptions { create: true, faults: Some(faults.clone()), ..OpenOptions::new(1) };
    let world = LaneWorld::new(Store::open(&location, options).unwrap(), Config::default(), |_| {}).await;
    world.team(300).await;
    engine::dispatch::dispatch_all(&world.engine, &world.tenant).await.unwrap();
    // The database refuses the key of one account, however often it is asked.
    faults.arm(store::Trigger::StatementWith("u2".into()), store::Fault::Full);
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap().id;
    let transport = world.transport().await;
    let run = engine::lane::run::run_lane(&world.engine, &world.tenant, &app, transport, false, &|_, _| {});
    let failed = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap().unwrap_err();
    assert_eq!(failed.code(), "disk-full");
    assert!(faults.fired() >= 2, "it failed with the others, then alone");
    let (accounts, tenant) = (world.accounts(), world.tenant.clone());
    assert!(accounts.contains_key("u1") && accounts.contains_key("u3") && !accounts.contains_key("u2"));
    let states = world
        .engine
        .read(move |tx| Ok(store::repo::intent::count_by_state(tx, &tenant, &app)?))
        .await
        .unwrap();
    let applied = i64::try_from(accounts.len()).unwrap();
    assert_eq!(states, [("create".into(), "applied".into(), applied)], "every request has its outcome");
    faults.disarm();
    world.sync(true).await;
    assert_eq!(world.accounts().len(), 300);
}
