//! Many writers at once: nothing is lost, nothing is there twice, and nobody sees a server's error (I18 to I20).

use std::future::Future;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::server::{World, group, on_both, user};

/// As many as a busy identity provider has workers.
const WRITERS: usize = 64;

/// Runs them all at the same time.
async fn all<F: Future<Output = Answer> + Send + 'static>(tasks: impl Iterator<Item = F>) -> Vec<Answer> {
    let running: Vec<_> = tasks.map(tokio::spawn).collect();
    let mut answers = vec![];
    for task in running {
        answers.push(task.await.unwrap());
    }
    answers
}

/// How many answers have this status; any other is one of `others`.
#[track_caller]
fn count(answers: &[Answer], status: u16, others: &[u16]) -> usize {
    for answer in answers.iter().filter(|answer| answer.status != status) {
        assert!(others.contains(&answer.status), "{}", answer.text);
    }
    answers.iter().filter(|answer| answer.status == status).count()
}

async fn users(world: &World, number: usize) -> Vec<String> {
    let mut ids = vec![];
    for at in 0..number {
        ids.push(world.user(&format!("u{at:02}")).await);
    }
    ids.sort();
    ids
}

#[test]
fn of_identical_creates_one_wins() {
    on_both(async |world| {
        let post = |path: &'static str, body: Value| {
            let client = world.client.clone();
            async move { client.post(path, body).await }
        };
        let made = all((0..WRITERS).map(|_| post("/Users", user("ada")))).await;
        assert_eq!(count(&made, 201, &[409]), 1);
        let with_external = |at: usize| {
            let mut body = user(&format!("n{at}"));
            body["externalId"] = json!("the-same");
            body
        };
        let made = all((0..WRITERS).map(|at| post("/Users", with_external(at)))).await;
        assert_eq!(count(&made, 201, &[409]), 1);
        let made = all((0..WRITERS).map(|_| post("/Groups", group("g", &[])))).await;
        assert_eq!(count(&made, 201, &[409]), 1);
        assert_eq!(world.get("/Users").await.expect(200).body["totalResults"], 2);
        let made = all((0..WRITERS).map(|at| post("/Users", user(&format!("other{at}"))))).await;
        assert_eq!(count(&made, 201, &[]), WRITERS, "different users do not stop each other");
        assert_eq!(world.get("/Users").await.expect(200).body["totalResults"], 2 + WRITERS);
    });
}

#[test]
fn of_many_writers_to_one_group_none_is_lost() {
    on_both(async |world| {
        let ids = users(&world, WRITERS).await;
        let id = world.group("g", &[]).await;
        let path = format!("/Groups/{id}");
        let patch = |operation: Value| {
            let (client, path) = (world.client.clone(), path.clone());
            async move { client.patch(&path, json!([operation])).await }
        };
        let add = |id: &String| json!({"op": "add", "path": "members", "value": [{"value": id}]});
        let done = all(ids.iter().map(|id| patch(add(id)))).await;
        assert_eq!(count(&done, 200, &[204]) + count(&done, 204, &[200]), WRITERS);
        let full = world.get(&path).await.expect(200);
        assert_eq!(full.values("members"), ids);
        let remove = |id: &String| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
        let done = all(ids.iter().enumerate().map(|(at, id)| {
            patch(if at.is_multiple_of(2) {
                remove(id)
            } else {
                json!({"op": "replace", "path": "displayName", "value": format!("g{at}")})
            })
        }))
        .await;
        assert_eq!(count(&done, 200, &[204]) + count(&done, 204, &[200]), WRITERS);
        let left: Vec<String> = ids.iter().skip(1).step_by(2).cloned().collect();
        let half = world.get(&path).await.expect(200);
        assert_eq!(half.values("members"), left);
        assert_ne!(half.version(), full.version());
    });
}

#[test]
fn of_many_writers_with_one_version_one_wins() {
    on_both(async |world| {
        let made = world.post("/Users", user("ada")).await.expect(201);
        let (path, version) = (format!("/Users/{}", made.id()), made.version());
        let write = |at: usize| {
            let (client, path, version) = (world.client.clone(), path.clone(), version.clone());
            async move {
                let mut body = user("ada");
                body["title"] = json!(format!("t{at}"));
                client.ask("PUT", &path).header("if-match", &version).body(&body).send().await
            }
        };
        let done = all((0..WRITERS).map(write)).await;
        assert_eq!(count(&done, 200, &[412]), 1);
        let winner = done.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(world.get(&path).await.body, winner.body);
    });
}

#[test]
fn of_many_members_added_to_one_version_one_wins() {
    on_both(async |world| {
        let ids = users(&world, WRITERS).await;
        let made = world.post("/Groups", group("g", &[])).await.expect(201);
        let (path, version) = (format!("/Groups/{}", made.id()), made.version());
        let add = |id: &String| {
            let (client, path, version) = (world.client.clone(), path.clone(), version.clone());
            let body = json!({"schemas": [scim::urn::PATCH_OP], "Operations": [
                {"op": "add", "path": "members", "value": [{"value": id}]}]});
            async move { client.ask("PATCH", &path).header("if-match", &version).body(&body).send().await }
        };
        let done = all(ids.iter().map(add)).await;
        assert_eq!(count(&done, 200, &[412]), 1);
        assert_eq!(world.get(&path).await.values("members").len(), 1);
    });
}

#[test]
fn of_many_member_lists_one_stays() {
    on_both(async |world| {
        let ids = users(&world, 16).await;
        let path = format!("/Groups/{}", world.group("g", &[]).await);
        for round in 0..4 {
            let write = |at: usize| {
                let (client, path, id) = (world.client.clone(), path.clone(), ids[at].clone());
                async move {
                    if (at + round).is_multiple_of(2) {
                        client.put(&path, group("g", &[&id])).await
                    } else {
                        let value = json!([{"value": id}]);
                        client
                            .patch(&path, json!([{"op": "replace", "path": "members", "value": value}]))
                            .await
                    }
                }
            };
            let done = all((0..16).map(write)).await;
            assert_eq!(count(&done, 200, &[]), 16);
            assert_eq!(world.get(&path).await.values("members").len(), 1, "the list that was written last");
        }
    });
}

#[test]
fn patches_of_one_user_add_up() {
    on_both(async |world| {
        let path = format!("/Users/{}", world.user("ada").await);
        let add = |at: usize| {
            let (client, path) = (world.client.clone(), path.clone());
            let value = json!([{"value": format!("+49 30 {at}"), "type": "other"}]);
            async move {
                client.patch(&path, json!([{"op": "add", "path": "phoneNumbers", "value": value}])).await
            }
        };
        let done = all((0..WRITERS).map(add)).await;
        assert_eq!(count(&done, 200, &[]), WRITERS);
        assert_eq!(world.get(&path).await.values("phoneNumbers").len(), WRITERS);
        // Each answer showed a version of its own.
        let mut versions: Vec<String> = done.iter().map(Answer::version).collect();
        versions.sort();
        versions.dedup();
        assert_eq!(versions.len(), WRITERS);
    });
}

#[test]
fn two_groups_never_contain_each_other() {
    on_both(async |world| {
        for round in 0..8 {
            let a = world.group(&format!("a{round}"), &[]).await;
            let b = world.group(&format!("b{round}"), &[]).await;
            let add = |group: &str, member: &str| {
                let (client, path) = (world.client.clone(), format!("/Groups/{group}"));
                let operations = json!([{"op": "add", "path": "members", "value": [{"value": member}]}]);
                async move { client.patch(&path, operations).await }
            };
            let done = all([add(&a, &b), add(&b, &a)].into_iter()).await;
            assert_eq!(count(&done, 200, &[400]), 1, "one of the two is refused");
        }
    });
}

#[test]
fn deletions_and_additions_meet() {
    on_both(async |world| {
        let ids = users(&world, 32).await;
        let path = format!("/Groups/{}", world.group("g", &[]).await);
        let work = |at: usize| {
            let (client, path, id) = (world.client.clone(), path.clone(), ids[at / 2].clone());
            async move {
                if at.is_multiple_of(2) {
                    client.delete(&format!("/Users/{id}")).await
                } else {
                    let value = json!([{"value": id}]);
                    client.patch(&path, json!([{"op": "add", "path": "members", "value": value}])).await
                }
            }
        };
        let done = all((0..WRITERS).map(work)).await;
        assert_eq!(count(&done, 204, &[200]), 32, "every deletion; every addition was applied or parked");
        let shown = world.get(&path).await.expect(200);
        assert_eq!(shown.values("members"), Vec::<String>::new(), "{}", shown.text);
    });
}
