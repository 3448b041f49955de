//! SCIM and first logins at the same time: one user per person (I20).

use std::collections::BTreeSet;

use domain::directory::Change;
use domain::ids::UserId;
use engine::signin::{Outcome, sign_in};
use serde_json::json;
use store::testing::on_each;

use crate::signin::{connect, principal, request};
use crate::world::{World, options};

const PEOPLE: usize = 12;
const LOGINS: usize = 6;

#[test]
fn s17_scim_and_first_logins_together_make_one_user_per_person() {
    on_each(options, |name, store| {
        let world = World::on(store);
        connect(&world, true, vec![]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let ids: Vec<BTreeSet<String>> = runtime.block_on(async {
            let mut people = vec![];
            for person in 0..PEOPLE {
                let (mail, oid) = (format!("p{person}@acme.example"), format!("o-{person}"));
                let mut logins = vec![];
                for _ in 0..LOGINS {
                    let (engine, who) = (world.engine.clone(), principal(&world));
                    let request = request(&format!("s-{person}"), json!({"oid": oid, "email": mail}));
                    logins.push(tokio::spawn(async move { sign_in(&engine, &who, request).await.unwrap() }));
                }
                let (engine, tenant) = (world.engine.clone(), world.tenant.clone());
                let pushed = tokio::spawn(async move {
                    let doc = json!({"userName": mail, "externalId": oid, "emails": [{"value": mail}]});
                    engine
                        .write(&tenant, move |tx, ctx| {
                            let id = UserId::new(ctx.ids.uuid());
                            let (source, doc) = ("connection:entra".to_owned(), doc.clone());
                            engine::directory::apply(tx, ctx, &[Change::CreateUser { id, source, doc }])
                        })
                        .await
                        .is_ok()
                });
                people.push((logins, pushed));
            }
            let mut all = vec![];
            for (logins, pushed) in people {
                let (mut ids, mut created) = (BTreeSet::new(), 0);
                for login in logins {
                    let answer = login.await.unwrap();
                    created += usize::from(answer.outcome == Outcome::Created);
                    ids.insert(answer.user.unwrap_or_else(|| panic!("{:?}", answer.refusal)).id);
                }
                assert_eq!(created + usize::from(pushed.await.unwrap()), 1, "{name}: made exactly once");
                all.push(ids);
            }
            all
        });
        assert!(ids.iter().all(|of_one| of_one.len() == 1), "{name}: every login is the same user: {ids:?}");
        assert_eq!(world.dump().len(), PEOPLE, "{name}");
    });
}
