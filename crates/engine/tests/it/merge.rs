//! s17: two records of one person become one user, and two again.

use domain::connection::{ConnectionSettings, IdentityProvider};
use domain::directory::Change;
use domain::ids::{GroupId, UserId};
use engine::directory::{merge_users, preview_merge, show_user, unmerge_users};
use engine::signin::link;
use engine::{EngineError, connections};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::repo::signin;
use store::testing::on_each;

use crate::world::{World, options, user_member};

const ISSUER: &str = "https://login.example/acme";

fn user(id: &str, source: &str, more: Value) -> Change {
    let mut doc = json!({"userName": format!("{id}@x"), "active": true});
    doc.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Change::CreateUser { id: UserId::new(id), source: source.into(), doc }
}

fn member(group: &str, user: &str) -> Change {
    Change::AddMember { group: GroupId::new(group), member: user_member(user) }
}

/// Two users, one group of both, one of each, and a sign-in of the second.
fn twins(world: &World, old: Value) {
    let settings =
        ConnectionSettings { issuer: Some(ISSUER.into()), ..ConnectionSettings::of(IdentityProvider::Okta) };
    block_on(connections::add(&world.engine, &world.tenant, "okta", IdentityProvider::Okta, settings))
        .unwrap();
    let group = |id: &str| Change::CreateGroup {
        id: GroupId::new(id),
        source: "console".into(),
        doc: json!({"displayName": id}),
    };
    world
        .apply(vec![
            user("new", "connection:okta", json!({})),
            user("old", "connection:okta", old),
            group("both"),
            group("first"),
            group("second"),
            member("both", "new"),
            member("both", "old"),
            member("first", "new"),
            member("second", "old"),
        ])
        .unwrap();
    block_on(link(&world.engine, &world.tenant, "old", ISSUER, "s-1")).unwrap();
}

/// Everything that a merge touches.
fn state(world: &World) -> Value {
    let ties = world.read(|tx, tenant| {
        let mut ties = vec![];
        for id in ["new", "old"] {
            let found = signin::of_user(tx, tenant, &UserId::new(id))?;
            ties.extend(found.into_iter().map(|(issuer, subject, _)| json!([id, issuer, subject])));
        }
        Ok(ties)
    });
    json!({"directory": world.dump(), "ties": ties})
}

fn groups(world: &World, name: &str) -> Vec<String> {
    let view = block_on(show_user(&world.engine, &world.tenant, name)).unwrap();
    view.direct.into_iter().map(|group| group.display_name).collect()
}

#[test]
fn s17_two_records_become_one_and_undo_puts_both_back_exactly() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let (engine, tenant) = (&world.engine, &world.tenant);
        twins(&world, json!({"externalId": "00u1"}));
        let before = state(&world);
        let shown = block_on(preview_merge(engine, tenant, "new", "old@x")).unwrap();
        let names = |groups: &[domain::directory::Group]| -> Vec<String> {
            groups.iter().map(|group| group.display_name.clone()).collect()
        };
        assert_eq!((names(&shown.joins), names(&shown.shared)), (vec!["second".into()], vec!["both".into()]));
        assert_eq!((shown.record.external_id.as_deref(), shown.record.identities.len()), (Some("00u1"), 1));
        assert_eq!(state(&world), before, "a preview changes nothing");
        block_on(merge_users(engine, tenant, "new", "old", false)).unwrap();
        assert_eq!(groups(&world, "new"), ["both", "first", "second"]);
        assert_eq!(world.user("new").external_id.as_deref(), Some("00u1"));
        assert_eq!(state(&world)["ties"], json!([["new", ISSUER, "s-1"]]));
        assert!(block_on(show_user(engine, tenant, "old")).is_err());
        let actions = world.actions();
        for action in ["user.merge", "user.delete", "member.add", "signin.link", "signin.unlink"] {
            assert!(actions.iter().any(|found| found == action), "{action}: {actions:?}");
        }
        world.advance(29 * 24 * 3_600_000);
        let back = block_on(unmerge_users(engine, tenant, "new", "old@x")).unwrap();
        assert!(back.left.is_empty(), "{:?}", back.left);
        assert_eq!(state(&world), before);
        assert!(world.actions().iter().any(|action| action == "user.unmerge"));
        let again = block_on(unmerge_users(engine, tenant, "new", "old"));
        assert!(matches!(again, Err(EngineError::NotFound { .. })), "{again:?}");
    });
}

#[test]
fn who_was_deleted_before_hands_everything_over_and_is_deleted_again_after_undo() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let (engine, tenant) = (&world.engine, &world.tenant);
        twins(&world, json!({"externalId": "00u1"}));
        world.apply(vec![Change::DeleteUser { id: UserId::new("old") }]).unwrap();
        let before = state(&world);
        block_on(merge_users(engine, tenant, "new", "old", false)).unwrap();
        assert_eq!(groups(&world, "new"), ["both", "first", "second"]);
        // What happened since stays; a group that is gone is named.
        world.apply(vec![Change::DeleteGroup { id: GroupId::new("both") }]).unwrap();
        let back = block_on(unmerge_users(engine, tenant, "new", "old")).unwrap();
        assert!(back.left.len() == 1 && back.left[0].contains("both"), "{:?}", back.left);
        world.apply(vec![Change::RestoreGroup { id: GroupId::new("both") }]).unwrap();
        assert_eq!(state(&world), before);
        world.apply(vec![Change::RestoreUser { id: UserId::new("old") }]).unwrap();
        assert_eq!(groups(&world, "old"), ["second"], "the membership of a deleted group was not put back");
    });
}

#[test]
fn what_is_doubtful_needs_a_yes_and_what_is_wrong_is_refused() {
    let world = World::inline();
    let (engine, tenant) = (&world.engine, &world.tenant);
    twins(&world, json!({"active": false}));
    let before = state(&world);
    let held = block_on(merge_users(engine, tenant, "new", "old", false)).unwrap_err();
    assert!(matches!(&held, EngineError::Held(text) if text.contains("inactive")), "{held}");
    world.apply(vec![user("other", "connection:entra", json!({}))]).unwrap();
    let held = block_on(merge_users(engine, tenant, "new", "other", false)).unwrap_err();
    assert!(held.to_string().contains("different connections"), "{held}");
    let same = block_on(merge_users(engine, tenant, "new", "new", true)).unwrap_err();
    assert!(same.to_string().contains("same user"), "{same}");
    block_on(link(engine, tenant, "new", ISSUER, "s-2")).unwrap();
    let double = block_on(merge_users(engine, tenant, "new", "old", true)).unwrap_err();
    assert!(double.to_string().contains("signin unlink"), "{double}");
    world.apply(vec![Change::DeleteUser { id: UserId::new("other") }]).unwrap();
    block_on(engine::signin::unlink(engine, tenant, "new")).unwrap();
    assert_eq!(state(&world), before);
    block_on(merge_users(engine, tenant, "new", "old", true)).unwrap();
    world.advance(31 * 24 * 3_600_000);
    let late = block_on(unmerge_users(engine, tenant, "new", "old")).unwrap_err();
    assert!(late.to_string().contains("31 days"), "{late}");
}
