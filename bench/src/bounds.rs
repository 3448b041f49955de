//! The bounds: what a client that only posts, and a loop that only writes, reach on the same machine.

use domain::app::AppSettings;
use domain::executor::IntentEnd;
use domain::ids::{AppId, GroupId, IntentId, Subject, TenantId};
use domain::plan::Key;
use domain::snapshot::{Link, LinkState};
use engine::{Engine, EngineError};
use futures::StreamExt;
use serde_json::json;
use store::repo::{audit, edge, intent, link};

use crate::Result;
use crate::app::Target;
use crate::clock::{per_second, timed};
use crate::world::{WIDTH, World, user_doc, user_id};

/// Posts the same bodies with the same width and does nothing else.
pub async fn plain_client(users: usize) -> Result<f64> {
    let target = Target::start()?;
    let settings =
        AppSettings { base_url: target.url.clone(), allow_private: true, ..AppSettings::default() };
    let transport = engine::transport::Transport::new(&settings, None)?;
    let posts = futures::stream::iter(0..users).map(|n| {
        let transport = transport.clone();
        async move {
            let mut doc = user_doc(n);
            doc["externalId"] = json!(user_id(n));
            doc["active"] = json!(true);
            let call = domain::remote::Call::Create { kind: domain::remote::RemoteKind::User, doc };
            transport.send(&engine::connectors::scim::request(&call)).await.map(|answer| answer.status)
        }
    });
    let (statuses, time) = timed(posts.buffer_unordered(WIDTH).collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|status| *status == Ok(201)), "the plain client was refused");
    Ok(per_second(users, time))
}

/// Writes the rows that a created account and its membership leave (intent, link, key, edge, audit entry), in groups of up to 256 per commit, and does nothing else.
pub async fn bare_loop(users: usize) -> Result<f64> {
    let target = Target::start()?;
    let world = World::new(&target.url).await?;
    let app = world.app.clone();
    let rows = futures::stream::iter(0..users).map(|n| {
        let (engine, tenant, app) = (world.engine.clone(), world.tenant.clone(), app.clone());
        async move { bare_rows(&engine, &tenant, &app, n).await }
    });
    let (results, time) = timed(rows.buffer_unordered(256).collect::<Vec<_>>()).await;
    for result in results {
        result?;
    }
    Ok(per_second(users, time))
}

async fn bare_rows(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    n: usize,
) -> std::result::Result<(), EngineError> {
    let id = IntentId::new(format!("i-{n:09}"));
    let (own, app_id) = (id.clone(), app.clone());
    engine
        .write(tenant, move |tx, context| {
            let subject = user_id(n);
            let value_key = format!("user{n}@example.com");
            let key = Key { attribute: "userName".into(), value_key };
            link::reserve_keys(tx, &context.tenant, &app_id, subject.as_str(), &[key])?;
            let new = intent::NewIntent {
                id: &own,
                subject: subject.as_str(),
                kind: "create",
                request: "{}",
                sent_ms: 1,
                fence: 1,
                trace: "t",
            };
            Ok(intent::insert(tx, &context.tenant, &app_id, &new)?)
        })
        .await?;
    let app_id = app.clone();
    engine
        .write(tenant, move |tx, context| {
            intent::settle(tx, &context.tenant, &id, IntentEnd::Applied, None, 2)?;
            let attributes: domain::mapping::Attributes = user_doc(n)
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let link = Link {
                state: LinkState::Live,
                remote_id: Some(format!("r-{n}")),
                generation: 0,
                acknowledged: attributes,
                normal: domain::mapping::Attributes::new(),
                observed: domain::mapping::Attributes::new(),
                confirmed_ms: 1,
            };
            link::put(tx, &context.tenant, &app_id, &Subject::User(user_id(n)), &link)?;
            edge::touch(tx, &context.tenant, &app_id, &GroupId::new("group"), &[user_id(n)], 1)?;
            let entry = domain::audit::Entry {
                id: context.ids.uuid(),
                at_ms: 1,
                actor: "bench".into(),
                action: "account.create".into(),
                object_kind: "user".into(),
                object: user_id(n).to_string(),
                app: app_id.to_string(),
                trace: "t".into(),
                before: None,
                after: Some(user_doc(n).to_string()),
                salt: "s".into(),
            };
            Ok(audit::append(tx, &context.tenant, &entry)?)
        })
        .await
}
