//! Retention of the sign-in log: bounded steps, the oldest first, of one tenant.

use domain::ids::{TenantId, uuid_v7};
use engine::signin::{LogQuery, list_log, prune_log};
use futures::executor::block_on;
use serde_json::json;
use store::StoreError;
use store::repo::signin::{LogRow, log};
use store::testing::on_each;

use crate::world::{World, options};

const BEFORE: i64 = 1_750_000_000_000;

/// Decisions at these times.
fn decide(world: &World, tenant: &TenantId, times: impl Iterator<Item = i64>) {
    let (tenant, times): (_, Vec<i64>) = (tenant.clone(), times.collect());
    let written = world.engine.store.write_blocking(move |tx| {
        for (number, at_ms) in times.iter().enumerate() {
            let row = LogRow {
                id: uuid_v7(*at_ms, number as u128),
                at_ms: *at_ms,
                trace: format!("{number:012x}"),
                outcome: "refused".into(),
                token: "cli".into(),
                connection: None,
                issuer: "https://login.example".into(),
                subject: "s-1".into(),
                user: None,
                detail: json!({}),
            };
            log(tx, &tenant, &row)?;
        }
        Ok::<_, StoreError>(())
    });
    written.unwrap();
}

/// The times of what is left, newest first.
fn times(world: &World, tenant: &TenantId) -> Vec<i64> {
    let query = LogQuery { limit: 10_000, ..LogQuery::default() };
    block_on(list_log(&world.engine, tenant, query)).unwrap().iter().map(|one| one.at_ms).collect()
}

#[test]
fn old_signins_go_in_bounded_steps_and_only_those_of_the_tenant() {
    on_each(options, |name, store| {
        let world = World::on(store);
        let other = TenantId::new("other");
        decide(&world, &world.tenant, (1..=2_500).map(|age| BEFORE - age));
        decide(&world, &world.tenant, [BEFORE, BEFORE + 1].into_iter());
        decide(&world, &other, [BEFORE - 9_000, BEFORE - 1].into_iter());
        let prune = || block_on(prune_log(&world.engine, &world.tenant, BEFORE)).unwrap();

        assert_eq!(prune(), 1_000, "{name}");
        let left = times(&world, &world.tenant);
        assert_eq!(
            (left.len(), left.last()),
            (1_502, Some(&(BEFORE - 1_500))),
            "{name}: the oldest go first"
        );
        assert_eq!([prune(), prune(), prune()], [1_000, 500, 0], "{name}");
        assert_eq!(times(&world, &world.tenant), [BEFORE + 1, BEFORE], "{name}: the moment itself stays");
        assert_eq!(times(&world, &other), [BEFORE - 1, BEFORE - 9_000], "{name}: of others nothing goes");
    });
}
