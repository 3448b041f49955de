//! The dispatcher: whom it marks, how often, and that nobody is forgotten.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
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

/// Generations of a user's mark and of her membership in `team`: how often each was written.
async fn written(world: &LaneWorld, n: usize) -> (i64, i64) {
    let app = apps::find(&world.engine, &world.tenant, "crm").await.unwrap().id;
    let (tenant, user) = (world.tenant.clone(), UserId::new(format!("user-{n:04}")));
    let read = move |tx: &mut store::Tx<'_>| {
        let mark = mark::get(tx, &tenant, &app, user.as_str())?.unwrap().generation;
        let edges = edge::dirty(tx, &tenant, &app, &GroupId::new("group-team"), 100)?;
        Ok((mark, edges.iter().find(|edge| edge.user == user).unwrap().generation))
    };
    world.engine.read(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_assignment_and_a_push_to_come_will_mark_is_marked_once() {
    for world in [on(sqlite()).await, on(postgres()).await] {
        world.team(3).await;
        dispatch_all(&world.engine, &world.tenant).await.unwrap();
        assert_eq!(written(&world, 2).await, (1, 1));
        world.apply(vec![update_user(2, json!({"userName": "u2", "active": true}))]).await;
        dispatch_all(&world.engine, &world.tenant).await.unwrap();
        assert_eq!(written(&world, 2).await.0, 2, "nothing is to come any more");
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
async fn who_has_an_account_is_not_left_to_an_expansion_to_come() {
    let world = world().await;
    world.team(3).await;
    world.sync(false).await;
    let more = vec![
        create_group("more"),
        member("more", 1),
        update_user(1, json!({"userName": "u1", "displayName": "Renamed", "active": true})),
        no_member("team", 1),
        no_member("team", 2),
    ];
    world.apply(more).await;
    world.assign("more").await;
    world.sync(false).await;
    assert_eq!(world.sim().user_by_name("u1").unwrap()["displayName"], json!("Renamed"));
    assert_eq!(world.members()["team"], names(&[3]));
    let accounts = world.accounts();
    assert!(accounts["u1"] && !accounts["u2"] && accounts["u3"], "{accounts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_deleted_nested_group_leave_a_group_whose_push_is_to_come() {
    let world = world().await;
    world.team(2).await;
    let nested = GroupId::new("group-nested");
    let (group, inner) = (GroupId::new("group-team"), Member::Group(nested.clone()));
    let joins = Change::AddMember { group, member: inner };
    world.apply(vec![create_group("nested"), create_user(3, json!({})), member("nested", 3), joins]).await;
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[1, 2, 3]));
    world.apply(vec![Change::DeleteGroup { id: nested }]).await;
    assert!(apps::push_remove(&world.engine, &world.tenant, "crm", "team", true).await.unwrap());
    assert!(apps::push_add(&world.engine, &world.tenant, "crm", "team").await.unwrap());
    world.sync(false).await;
    assert_eq!(world.members()["team"], names(&[1, 2]));
}
