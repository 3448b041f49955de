//! The dispatcher: whom it marks, how often, and that nobody is forgotten.

use domain::directory::{Change, Member};
use domain::ids::{AppId, GroupId, UserId};
use engine::apps;
use engine::dispatch::dispatch_all;
use serde_json::json;
use simapp::Config;
use store::repo::{edge, mark};

use crate::lane::{postgres, sqlite};
use crate::lane_world::{LaneWorld, create_group, create_user, member, names, no_member, update_user};

async fn world() -> LaneWorld {
    on(sqlite()).await
}

async fn on(store: store::Store) -> LaneWorld {
    LaneWorld::new(store, Config::default(), |_| {}).await
}

async fn app(world: &LaneWorld) -> AppId {
    apps::find(&world.engine, &world.tenant, "crm").await.unwrap().id
}

/// Generation of a user's mark: how often it was written since it was done.
async fn marked(world: &LaneWorld, n: usize) -> i64 {
    let (tenant, app, user) = (world.tenant.clone(), app(world).await, format!("user-{n:04}"));
    let read = move |tx: &mut store::Tx<'_>| Ok(mark::get(tx, &tenant, &app, &user)?);
    world.engine.read(read).await.unwrap().unwrap().generation
}

/// Generation of a user's membership in `team`.
async fn touched(world: &LaneWorld, n: usize) -> i64 {
    let (tenant, app, user) = (world.tenant.clone(), app(world).await, UserId::new(format!("user-{n:04}")));
    let read =
        move |tx: &mut store::Tx<'_>| Ok(edge::dirty(tx, &tenant, &app, &GroupId::new("group-team"), 100)?);
    let edges = world.engine.read(read).await.unwrap();
    edges.iter().find(|edge| edge.user == user).unwrap().generation
}

/// The push of `team` is taken back and given again: its expansion is to come.
async fn push_again(world: &LaneWorld) {
    assert!(apps::push_remove(&world.engine, &world.tenant, "crm", "team", true).await.unwrap());
    assert!(apps::push_add(&world.engine, &world.tenant, "crm", "team").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_assignment_and_a_push_to_come_will_mark_is_marked_once() {
    for world in [on(sqlite()).await, on(postgres()).await] {
        // More than one step takes.
        world.team(900).await;
        dispatch_all(&world.engine, &world.tenant).await.unwrap();
        assert_eq!((marked(&world, 2).await, touched(&world, 2).await), (1, 1));
        world.apply(vec![update_user(2, json!({"userName": "u2", "active": true}))]).await;
        dispatch_all(&world.engine, &world.tenant).await.unwrap();
        assert_eq!(marked(&world, 2).await, 2, "nothing is to come any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_or_leaves_while_the_expansion_is_to_come_is_not_forgotten() {
    for world in [on(sqlite()).await, on(postgres()).await] {
        world.team(4).await;
        world.apply(vec![no_member("team", 1), create_user(5, json!({})), member("team", 5)]).await;
        world.sync(false).await;
        assert_eq!(world.accounts().into_keys().collect::<Vec<_>>(), ["u2", "u3", "u4", "u5"]);
        assert_eq!(world.members()["team"], names(&[2, 3, 4, 5]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_her_account_leaves_a_group_whose_push_is_to_come() {
    let world = world().await;
    world.team(3).await;
    world.apply(vec![create_group("more"), member("more", 1)]).await;
    world.assign("more").await;
    world.sync(false).await;
    world.apply(vec![no_member("team", 1), no_member("team", 2)]).await;
    push_again(&world).await;
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[3]));
    let accounts = world.accounts();
    assert!(accounts["u1"] && !accounts["u2"] && accounts["u3"], "{accounts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_does_not_wait_for_an_expansion_to_come() {
    let world = world().await;
    world.team(3).await;
    world.sync(false).await;
    let mut batch = vec![create_group("more")];
    batch.extend((1..=3).map(|n| member("more", n)));
    world.apply(batch).await;
    world.assign("more").await;
    world.apply(vec![update_user(3, json!({"userName": "u3", "active": false}))]).await;
    dispatch_all(&world.engine, &world.tenant).await.unwrap();
    let (tenant, app) = (world.tenant.clone(), app(&world).await);
    let first = move |tx: &mut store::Tx<'_>| Ok(mark::ready(tx, &tenant, &app, i64::MAX, 1)?);
    assert_eq!(world.engine.read(first).await.unwrap()[0].id(), "user-0003");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_deleted_nested_group_leave_a_group_whose_push_is_to_come() {
    let world = world().await;
    world.team(2).await;
    let nested = GroupId::new("group-nested");
    let (group, inner) = (GroupId::new("group-team"), Member::Group(nested.clone()));
    let joins = Change::AddMember { group, member: inner };
    world.apply(vec![create_group("nested"), create_user(3, json!({})), member("nested", 3), joins]).await;
    // She keeps her account: it is not for want of it that the membership goes.
    world.apply(vec![create_group("more"), member("more", 3)]).await;
    world.assign("more").await;
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[1, 2, 3]));
    world.apply(vec![Change::DeleteGroup { id: nested }]).await;
    push_again(&world).await;
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_of_a_load_go_out_in_one_request() {
    let world = LaneWorld::new(sqlite(), Config::default(), |settings| settings.member_cap = 2_000).await;
    world.team(1_200).await;
    let report = world.sync(false).await;
    assert_eq!(report.applied["members"], 1, "{report:?}");
    assert_eq!(world.members()["team"].len(), 1_200);
}
