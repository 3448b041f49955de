//! Deleted users and groups: listed, found by what they were called, brought back with everything that hung on them.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use engine::EngineError;
use engine::directory::{self, restore_group, restore_user};
use engine::mapping_preview::mapping_counts;
use futures::executor::block_on;
use serde_json::json;
use simapp::Config;
use store::testing::on_each;

use crate::lane_world::LaneWorld;
use crate::load::{GROUPS, MEMBERS, USERS, csv, run};
use crate::world::{World, options};

fn group(id: &str) -> Change {
    Change::CreateGroup { id: GroupId::new(id), source: "test".into(), doc: json!({"displayName": id}) }
}

fn nest(outer: &str, inner: &str) -> Change {
    Change::AddMember { group: GroupId::new(outer), member: Member::Group(GroupId::new(inner)) }
}

#[test]
fn users_and_groups_come_back_by_name_with_their_memberships() {
    on_each(options, |_, store| {
        let world = World::on(store);
        run(&world, csv(USERS, GROUPS, MEMBERS)).unwrap();
        let (engine, tenant) = (&world.engine, &world.tenant);
        let before = world.dump();
        block_on(directory::delete_user(engine, tenant, "bob@x")).unwrap();
        block_on(directory::delete_group(engine, tenant, "Team")).unwrap();
        let users = block_on(directory::list_deleted_users(engine, tenant, "", 10)).unwrap();
        let groups = block_on(directory::list_deleted_groups(engine, tenant, "", 10)).unwrap();
        assert_eq!((users.len(), users[0].user_name.as_str()), (1, "bob@x"));
        assert_eq!((groups.len(), groups[0].display_name.as_str()), (1, "Team"));
        let missing = block_on(restore_group(engine, tenant, "Nobody")).unwrap_err();
        assert!(matches!(missing, EngineError::NotFound { .. }), "{missing}");
        assert!(block_on(restore_user(engine, tenant, "BOB@x")).unwrap().changed);
        assert!(block_on(restore_group(engine, tenant, "G1")).unwrap().changed);
        assert!(!block_on(restore_group(engine, tenant, "G1")).unwrap().changed);
        assert_eq!(world.dump(), before);
        assert!(block_on(directory::list_deleted_groups(engine, tenant, "", 10)).unwrap().is_empty());
        assert_eq!(world.actions().iter().filter(|action| action.ends_with(".restore")).count(), 2);
    });
}

#[test]
fn a_name_that_is_taken_or_was_had_by_several_is_not_guessed() {
    let world = World::inline();
    let (engine, tenant) = (&world.engine, &world.tenant);
    for id in ["g1", "g2"] {
        let doc = json!({"displayName": "Team"});
        world.apply(vec![Change::CreateGroup { id: GroupId::new(id), source: "test".into(), doc }]).unwrap();
        block_on(directory::delete_group(engine, tenant, id)).unwrap();
    }
    let several = block_on(restore_group(engine, tenant, "team")).unwrap_err().to_string();
    assert!(several.contains("g1") && several.contains("g2"), "{several}");
    assert!(block_on(restore_group(engine, tenant, "g1")).unwrap().changed);
    let taken = block_on(restore_group(engine, tenant, "g2")).unwrap_err();
    assert!(matches!(taken, EngineError::Conflict(_)), "{taken}");
}

#[test]
fn a_group_that_would_contain_itself_stays_deleted() {
    on_each(options, |_, store| {
        let world = World::on(store);
        world.apply(vec![group("a"), group("b"), group("c"), nest("a", "b"), nest("b", "c")]).unwrap();
        world.apply(vec![Change::DeleteGroup { id: GroupId::new("b") }]).unwrap();
        world.apply(vec![nest("c", "a")]).unwrap();
        let (before, traces) = (world.dump(), world.traces());
        let refused = world.apply(vec![Change::RestoreGroup { id: GroupId::new("b") }]).unwrap_err();
        assert!(refused.to_string().contains("b > c > a > b"), "{refused}");
        assert_eq!((world.dump(), world.traces()), (before, traces));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_group_is_pushed_again_and_entitles_again() {
    let world = LaneWorld::new(crate::lane::sqlite(), Config::default(), |_| {}).await;
    world.team(3).await;
    world.sync(false).await;
    let team = world.members();
    delete_team(&world).await;
    assert!(world.members().is_empty());
    assert!(world.accounts().values().all(|active| !active));
    restore_group(&world.engine, &world.tenant, "team").await.unwrap();
    world.sync(false).await;
    assert_eq!(world.members(), team);
    assert!(world.accounts().values().all(|active| *active));
    assert_eq!(world.compare_and_repair().await, 0);
}

async fn delete_team(world: &LaneWorld) {
    directory::delete_group(&world.engine, &world.tenant, "team").await.unwrap();
    world.sync(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_is_tried_on_everybody_before_it_is_set() {
    let world = LaneWorld::new(crate::lane::sqlite(), Config::default(), |_| {}).await;
    world.team(4).await;
    let retitled = |n: usize, doc| Change::UpdateUser { id: UserId::new(format!("user-{n:04}")), doc };
    let inactive = retitled(4, json!({"userName": "u4", "active": false}));
    let titled = retitled(1, json!({"userName": "u1", "active": true, "title": "Boss"}));
    world.apply(vec![inactive, titled]).await;
    let app = engine::apps::find(&world.engine, &world.tenant, "crm").await.unwrap();
    let rules = serde_json::from_value(json!([
        {"target": "userName", "source": {"attribute": "userName"}},
        {"target": "title", "source": {"expression": "upper(user.title)"}},
        {"target": "nickName", "source": {"expression": "iif(is_member_of('Team'), 'in', 'out')"}}
    ]));
    let counts = mapping_counts(&world.engine, &world.tenant, &app.id, Some(rules.unwrap())).await.unwrap();
    assert_eq!((counts.users, counts.mapped, counts.failed, counts.out_of_scope), (3, 1, 2, 0));
    assert_eq!(counts.attributes["title"].example, Some(json!("BOSS")));
    assert_eq!(counts.attributes["nickName"].example, Some(json!("in")));
    let [problem] = counts.problems.as_slice() else { panic!("{:?}", counts.problems) };
    assert_eq!((problem.target.as_str(), problem.users), ("title", 2));
    assert_eq!(problem.examples, ["u2", "u3"]);
    let wrong = serde_json::from_value(json!([{"target": "shoeSize", "source": {"constant": 1}}])).unwrap();
    assert!(mapping_counts(&world.engine, &world.tenant, &app.id, Some(wrong)).await.is_err());
    let own = mapping_counts(&world.engine, &world.tenant, &app.id, None).await.unwrap();
    assert_eq!((own.mapped, own.attributes["title"].with_value, own.attributes["title"].empty), (3, 1, 2));
}
