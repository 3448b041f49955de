//! The lane end to end: directory to app over real HTTP, with the faults of real apps.

use domain::app::{AppState, Deprovision, Linking, WriteMethod};
use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use serde_json::json;
use simapp::Config;
use store::{OpenOptions, Store};

use crate::lane_world::{LaneWorld, create_group, create_user, member, names, no_member, update_user};

pub(crate) fn sqlite() -> Store {
    let folder = tempfile::tempdir().unwrap().keep();
    let location = folder.join("test.db").to_str().unwrap().parse().unwrap();
    Store::open(&location, OpenOptions { create: true, ..OpenOptions::new(1) }).unwrap()
}

pub(crate) fn postgres() -> Store {
    Store::open(&store::testing::postgres(), OpenOptions { create: true, ..OpenOptions::new(1) }).unwrap()
}

async fn world() -> LaneWorld {
    LaneWorld::new(sqlite(), Config::default(), |_| {}).await
}

async fn converges(store: Store) {
    let world = LaneWorld::new(store, Config::default(), |settings| settings.member_cap = 7).await;
    world.team(30).await;
    let report = world.sync(false).await;
    assert_eq!(report.applied["create"], 31, "{report:?}");
    assert_eq!(world.accounts().len(), 30);
    assert_eq!(world.members()["team"].len(), 30);
    let before = world.writes();
    world.set(|app| app.settings.concurrency = 3).await;
    let again = world.sync(false).await;
    assert_eq!(again.subjects, 31, "everybody was looked at again: {again:?}");
    assert_eq!(world.writes(), before, "and nothing was sent");
    assert!(again.left.is_empty() && world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_an_account_and_the_group_its_members_on_sqlite() {
    converges(sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_an_account_and_the_group_its_members_on_postgres() {
    converges(postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_sent() {
    let world = world().await;
    world.team(5).await;
    world.sync(false).await;
    world.sim().reset_seen();
    world
        .apply(vec![
            update_user(2, json!({"userName": "u2", "displayName": "Renamed", "active": true})),
            no_member("team", 4),
            create_user(6, json!({})),
            member("team", 6),
        ])
        .await;
    world.sync(false).await;
    let seen = world.sim().seen().clone();
    assert_eq!(seen.writes, 4, "rename, create, one membership request, one leaver: {:?}", seen.by_operation);
    assert_eq!(world.sim().user_by_name("u2").unwrap()["displayName"], json!("Renamed"));
    assert_eq!(world.members()["team"], names(&[1, 2, 3, 5, 6]));
    assert!(!world.accounts()["u4"], "who left the assigned group lost the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn s08_reactivation_replays_the_memberships_by_itself() {
    let world = world().await;
    world.team(3).await;
    world.sync(false).await;
    world.apply(vec![update_user(2, json!({"userName": "u2", "active": false}))]).await;
    world.sync(false).await;
    assert!(!world.accounts()["u2"]);
    assert_eq!(world.members()["team"], names(&[1, 3]));
    world.apply(vec![update_user(2, json!({"userName": "u2", "active": true}))]).await;
    world.sync(false).await;
    assert!(world.accounts()["u2"]);
    assert_eq!(world.members()["team"], names(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_groups_are_pushed_flat_and_follow_changes() {
    let world = world().await;
    world.team(4).await;
    let nest = |add: bool| {
        let (group, member) = (GroupId::new("group-outer"), Member::Group(GroupId::new("group-inner")));
        if add { Change::AddMember { group, member } } else { Change::RemoveMember { group, member } }
    };
    world
        .apply(vec![
            create_group("outer"),
            create_group("inner"),
            member("inner", 1),
            member("inner", 2),
            member("outer", 3),
            nest(true),
        ])
        .await;
    engine::apps::push_add(&world.engine, &world.tenant, "crm", "outer").await.unwrap();
    world.sync(false).await;
    assert_eq!(world.members()["outer"], names(&[1, 2, 3]));
    world.apply(vec![member("inner", 4), no_member("inner", 1)]).await;
    world.sync(false).await;
    assert_eq!(world.members()["outer"], names(&[2, 3, 4]));
    world.apply(vec![nest(false)]).await;
    world.sync(false).await;
    assert_eq!(world.members()["outer"], names(&[3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_server_errors_make_no_duplicates() {
    let config = Config { enforce_user_name_unique: false, ..Config::default() };
    let world = LaneWorld::new(sqlite(), config, |settings| settings.member_cap = 5).await;
    world.faults(&[
        "write:lost-answer-after=0.2",
        "write:lost-answer-before=0.1",
        "write:commit-then-5xx=503@0.1",
    ]);
    world.team(25).await;
    world.sync(true).await;
    world.faults(&[]);
    world.sync(true).await;
    assert_eq!(world.sim().users().len(), 25, "no account twice");
    assert_eq!(world.accounts().len(), 25);
    assert_eq!(world.members()["team"].len(), 25);
    assert_eq!(world.compare_and_repair().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_no_failure_and_is_obeyed() {
    let world = world().await;
    world.faults(&["throttle=30/5"]);
    world.team(30).await;
    world.sync(true).await;
    assert_eq!(world.accounts().len(), 30);
    assert_eq!(world.members()["team"].len(), 30);
    assert!(world.causes().await.is_empty());
    assert!(world.sim().seen().throttled > 0, "the limit was met");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_member_is_found_by_halving_and_the_others_go() {
    let world = world().await;
    world.team(9).await;
    // The account of u5 disappears behind our back: its id is unknown to the app.
    world.apply(vec![no_member("team", 5)]).await;
    let target = engine::apps::Target::User("u5".into());
    engine::apps::assign(&world.engine, &world.tenant, "crm", target, true, 0).await.unwrap();
    world.sync(false).await;
    let id = world.sim().user_by_name("u5").unwrap()["id"].as_str().unwrap().to_owned();
    world.sim().delete_user(&id, 0).unwrap();
    world.apply(vec![member("team", 5), create_user(10, json!({})), member("team", 10)]).await;
    world.sync(false).await;
    // The refusal made the account be looked at; it was gone, so it was created again and its membership replayed.
    assert_eq!(world.accounts().len(), 10);
    assert_eq!(world.members()["team"], names(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    assert_eq!(world.compare_and_repair().await, 0);
    assert!(world.causes().await.is_empty(), "{:?}", world.causes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn s09_and_s15_what_was_deleted_by_hand_comes_back_with_its_memberships() {
    let world = world().await;
    world.team(4).await;
    world.sync(false).await;
    let group = world.sim().group_by_name("team").unwrap()["id"].as_str().unwrap().to_owned();
    let user = world.sim().user_by_name("u2").unwrap()["id"].as_str().unwrap().to_owned();
    world.sim().delete_group(&group, 0).unwrap();
    world.sim().delete_user(&user, 0).unwrap();
    assert!(world.compare_and_repair().await >= 2);
    assert_eq!(world.accounts().len(), 4);
    assert_eq!(world.members()["team"], names(&[1, 2, 3, 4]));
    assert_eq!(world.compare_and_repair().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_members_edited_by_hand_are_put_right_and_strangers_left_alone() {
    let world = world().await;
    world.team(3).await;
    world.apply(vec![create_user(4, json!({}))]).await;
    let target = engine::apps::Target::User("u4".into());
    engine::apps::assign(&world.engine, &world.tenant, "crm", target, true, 0).await.unwrap();
    world.sync(false).await;
    world.sim().add_member("team", "u4", 0).unwrap();
    world.sim().remove_member("team", "u1", 0).unwrap();
    assert_eq!(world.compare_and_repair().await, 2);
    assert_eq!(world.members()["team"], names(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_who_swap_names_swap_them_in_the_app() {
    let world = world().await;
    world.team(2).await;
    world.sync(false).await;
    world
        .apply(vec![
            update_user(1, json!({"userName": "u2", "displayName": "User 1", "active": true})),
            update_user(2, json!({"userName": "u1", "displayName": "User 2", "active": true})),
        ])
        .await;
    world.sync(true).await;
    assert_eq!(world.sim().user_by_name("u2").unwrap()["displayName"], json!("User 1"));
    assert_eq!(world.sim().user_by_name("u1").unwrap()["displayName"], json!("User 2"));
    assert_eq!(world.members()["team"], names(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_refused_credentials_hold_the_lane_behind_one_task_and_held_work_goes_out_afterwards() {
    let world = world().await;
    world.team(20).await;
    world.sim().set_token(Some("another".into()));
    let report = world.sync(false).await;
    assert_eq!(report.held.as_deref(), Some("credentials.refused"));
    let tasks = engine::tasks::list(&world.engine, &world.tenant, None, 100).await.unwrap();
    assert_eq!(tasks.len(), 1, "one task for the app, not one for each user");
    assert!(report.requests < 30, "{}", report.requests);
    world.sim().set_token(Some("t0ken".into()));
    world.sync(true).await;
    assert_eq!(world.accounts().len(), 20);
    assert!(world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_down_is_probed_not_hammered() {
    let world = world().await;
    world.team(20).await;
    world.faults(&["down"]);
    let report = world.sync(false).await;
    assert_eq!(report.held.as_deref(), Some("app.unavailable"));
    assert!(report.requests < 30, "{}", report.requests);
    world.faults(&[]);
    world.sync(true).await;
    assert_eq!(world.members()["team"].len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_holds_a_mass_deactivation_and_an_approval_releases_exactly_it() {
    let world = world().await;
    world.team(30).await;
    world.sync(false).await;
    world
        .apply(
            (1..=10).map(|n| update_user(n, json!({"userName": format!("u{n}"), "active": false}))).collect(),
        )
        .await;
    world.sync(false).await;
    assert_eq!(world.accounts().values().filter(|active| !**active).count(), 0, "nothing was sent");
    assert!(world.causes().await.contains("guard.held"));
    // A single leaver of her own is not held by the others.
    world.apply(vec![update_user(20, json!({"userName": "u20", "active": false}))]).await;
    world.sync(false).await;
    assert!(!world.accounts()["u20"]);
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    assert_eq!(engine::tasks::approve(&world.engine, &world.tenant, &app.id).await.unwrap(), 10);
    world.sync(false).await;
    world.sync(false).await;
    assert_eq!(world.accounts().values().filter(|active| !**active).count(), 11);
    assert!(!world.causes().await.contains("guard.held") || world.members()["team"].len() > 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_account_is_asked_about_then_linked_by_the_switch() {
    let world = world().await;
    let existing = json!({"schemas": [scim::urn::USER], "userName": "U1", "displayName": "by hand"});
    let request = simapp::Request::new("POST", "/scim/v2/Users")
        .with_header("Authorization", "Bearer t0ken")
        .with_header("Content-Type", "application/scim+json")
        .with_json(&existing);
    let reply = world.sim().handle(&request, 0);
    assert_eq!(reply.response().unwrap().status, 201);
    world.team(2).await;
    world.sync(false).await;
    assert!(world.causes().await.contains("match.needs_decision"));
    assert_eq!(
        world.sim().user_by_name("u1").unwrap()["displayName"],
        json!("by hand"),
        "it was not touched"
    );
    assert_eq!(world.members()["team"], names(&[2]), "the neighbours went");
    world.set(|app| app.settings.link = Linking::On).await;
    world.sync(false).await;
    assert_eq!(world.accounts().len(), 2);
    assert_eq!(world.sim().user_by_name("u1").unwrap()["displayName"], json!("User 1"));
    assert!(world.causes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_that_only_know_put_are_read_merged_and_written() {
    let world =
        LaneWorld::new(sqlite(), Config::default(), |settings| settings.write_with = WriteMethod::Put).await;
    world.faults(&["no-patch"]);
    world.team(5).await;
    world.sync(false).await;
    world.sim().set_user("u3", "nickName", json!("kept"), 0).unwrap();
    world
        .apply(vec![
            update_user(3, json!({"userName": "u3", "title": "New", "active": true})),
            no_member("team", 5),
        ])
        .await;
    world.sync(true).await;
    let u3 = world.sim().user_by_name("u3").unwrap();
    assert_eq!((&u3["title"], &u3["nickName"]), (&json!("New"), &json!("kept")));
    assert_eq!(world.members()["team"], names(&[1, 2, 3, 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_in_preview_and_the_preview_equals_the_run() {
    let world = world().await;
    world.set(|app| app.state = AppState::Preview).await;
    world.team(6).await;
    world.sync(false).await;
    assert_eq!(world.writes(), 0);
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    let transport = world.transport().await;
    let preview =
        engine::preview::preview(&world.engine, &world.tenant, &app.id, Some(&transport)).await.unwrap();
    assert_eq!(preview.totals["create"], 7, "{:?}", preview.totals);
    world.set(|app| app.state = AppState::Active).await;
    let report = world.sync(false).await;
    assert_eq!(report.applied["create"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_unassigned_under_the_delete_policy_is_deleted_and_returns_anew() {
    let world =
        LaneWorld::new(sqlite(), Config::default(), |settings| settings.deprovision = Deprovision::Delete)
            .await;
    world.team(3).await;
    world.sync(false).await;
    world.apply(vec![Change::DeleteUser { id: UserId::new("user-0002") }]).await;
    world.sync(false).await;
    assert_eq!(world.accounts().len(), 2);
    assert_eq!(world.members()["team"], names(&[1, 3]));
    world.apply(vec![Change::RestoreUser { id: UserId::new("user-0002") }]).await;
    world.apply(vec![update_user(2, json!({"userName": "u2", "active": true}))]).await;
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_set_once_her_account_is_there() {
    let world = world().await;
    let enterprise = json!({scim::urn::ENTERPRISE_USER: {"manager": {"value": "u2"}}});
    world.apply(vec![create_user(1, enterprise)]).await;
    let target = engine::apps::Target::User("u1".into());
    engine::apps::assign(&world.engine, &world.tenant, "crm", target, true, 0).await.unwrap();
    world.sync(false).await;
    world.apply(vec![create_user(2, json!({}))]).await;
    let target = engine::apps::Target::User("u2".into());
    engine::apps::assign(&world.engine, &world.tenant, "crm", target, true, 0).await.unwrap();
    world.sync(false).await;
    let boss = world.sim().user_by_name("u2").unwrap()["id"].clone();
    let report = world.sim().user_by_name("u1").unwrap();
    assert_eq!(report[scim::urn::ENTERPRISE_USER]["manager"]["value"], boss);
}
