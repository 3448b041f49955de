//! Webhooks: every deactivation and deletion is posted as a signed event, in order, until the receiver has it.

use domain::app::AppSettings;
use domain::ids::{IdSource, TenantId};
use domain::revocation::again_after_ms;
use serde_json::json;
use store::repo::app;
use store::repo::webhook::{self, Webhook};
use zeroize::Zeroizing;

use crate::audit_log::{Changed, record};
use crate::connectors::TransportError;
use crate::context::Engine;
use crate::error::EngineError;
use crate::revocation::{load, sealed_head, sign};
use crate::seal::{SealingKey, SecretName};
use crate::transport::{Transport, check_base_url};

/// How long a receiver has to answer.
const TIMEOUT_MS: i64 = 10_000;

/// Events that one turn delivers to one address.
const TURN: usize = 50;

/// While one machine delivers, no other one does. Taken anew with every event, so that a crash costs no more than this.
const CLAIM_MS: i64 = 2 * TIMEOUT_MS;

/// The most webhooks of a tenant.
const WEBHOOKS_MAX: usize = 20;

/// Adds a webhook for events from now on. Gives it with its secret, which is shown once and stored sealed.
pub async fn add(
    engine: &Engine,
    tenant: &TenantId,
    key: &SealingKey,
    url: &str,
    allow_private: bool,
) -> Result<(Webhook, Zeroizing<String>), EngineError> {
    let url = check_base_url(url, allow_private)?;
    let delivered = sealed_head(engine, tenant).await?;
    let secret = secret(engine);
    let (key, sealing) = (key.clone(), secret.clone());
    let added = engine.write(tenant, move |tx, context| {
        let others = webhook::list(tx, &context.tenant)?;
        if others.iter().any(|other| other.url == url) {
            return Err(EngineError::Conflict(format!(
                "there is a webhook to {url} already; remove it with lockstep webhook remove to get a new secret"
            )));
        }
        if others.len() >= WEBHOOKS_MAX {
            return Err(EngineError::Invalid(format!("a tenant has at most {WEBHOOKS_MAX} webhooks; remove one first")));
        }
        let new = Webhook {
            id: context.ids.uuid(),
            url: url.clone(),
            allow_private,
            created_ms: context.now_ms,
            delivered,
            due_ms: 0,
            failures: 0,
            last_error: None,
            last_ok_ms: None,
        };
        webhook::insert(tx, &context.tenant, &new)?;
        let tenant = context.tenant.clone();
        let sealed = key.seal(place(&tenant, &new.id), &sealing, &mut context.ids)?;
        app::put_secret(tx, &tenant, &new.id, SECRET, &sealed, context.now_ms)?;
        let after = Some(json!({"url": new.url, "allow_private": allow_private}));
        record(tx, context, "webhook.add", Changed { kind: "webhook", id: &new.id, before: None, after })?;
        Ok(new)
    });
    Ok((added.await?, secret))
}

/// All webhooks of a tenant.
pub async fn list(engine: &Engine, tenant: &TenantId) -> Result<Vec<Webhook>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(webhook::list(tx, &tenant)?)).await
}

/// Removes the webhook with this id or address.
pub async fn remove(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<Webhook, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let all = webhook::list(tx, &context.tenant)?;
            let address = reference.trim_end_matches('/');
            let found = all.into_iter().find(|one| one.id == reference || one.url == address);
            let found = found.ok_or_else(|| EngineError::NotFound {
                kind: "webhook",
                name: reference.clone(),
                next: "see lockstep webhook list".into(),
            })?;
            webhook::delete(tx, &context.tenant, &found.id)?;
            let before = Some(json!({"url": found.url, "allow_private": found.allow_private}));
            record(
                tx,
                context,
                "webhook.remove",
                Changed { kind: "webhook", id: &found.id, before, after: None },
            )?;
            Ok(found)
        })
        .await
}

/// What a turn of deliveries did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Delivered {
    /// Events that a receiver took.
    pub delivered: usize,
    /// Addresses that did not take one; they are tried again.
    pub failed: usize,
    /// There is more to deliver at once.
    pub more: bool,
}

/// Delivers what is due to every webhook of a tenant. An event that is not taken is tried again, later and later, and holds
/// back what follows it; none is left out.
pub async fn deliver(engine: &Engine, tenant: &TenantId, key: &SealingKey) -> Result<Delivered, EngineError> {
    let mut all = Delivered::default();
    let hooks = list(engine, tenant).await?;
    if hooks.is_empty() {
        return Ok(all);
    }
    let head = sealed_head(engine, tenant).await?;
    for hook in hooks {
        let now_ms = engine.env.now_ms();
        if hook.due_ms > now_ms || hook.delivered >= head {
            continue;
        }
        let wanted = hook.clone();
        let claimed = engine.write(tenant, move |tx, context| {
            Ok(webhook::claim(tx, &context.tenant, &wanted, now_ms + CLAIM_MS)?)
        });
        if !claimed.await? {
            continue;
        }
        match turn(engine, tenant, key, &hook, head).await {
            Ok((delivered, more)) => {
                all.delivered += delivered;
                all.more |= more;
            }
            Err(problem) => {
                all.failed += 1;
                let (id, again) = (hook.id.clone(), engine.env.now_ms() + again_after_ms(hook.failures));
                engine
                    .write(tenant, move |tx, context| {
                        Ok(webhook::failed(tx, &context.tenant, &id, again, &problem.to_string())?)
                    })
                    .await?;
            }
        }
    }
    Ok(all)
}

/// Delivers to one address; how many, and whether there is more.
async fn turn(
    engine: &Engine,
    tenant: &TenantId,
    key: &SealingKey,
    hook: &Webhook,
    head: i64,
) -> Result<(usize, bool), EngineError> {
    let (owner, id) = (tenant.clone(), hook.id.clone());
    let sealed = engine.read(move |tx| Ok(app::secret(tx, &owner, &id, SECRET)?)).await?;
    let sealed = sealed
        .ok_or_else(|| EngineError::Invalid("its secret is gone; remove it and add it again".into()))?;
    let secret = key.open(place(tenant, &hook.id), &sealed)?;
    let settings = AppSettings {
        base_url: hook.url.clone(),
        allow_private: hook.allow_private,
        request_timeout_ms: TIMEOUT_MS,
        ..AppSettings::default()
    };
    let transport = Transport::new(&settings, None)?;
    let events = load(engine, tenant, hook.delivered, TURN).await?;
    for event in &events {
        let token = sign(&event.claims(tenant, Some(&hook.url)), &secret);
        match transport.post_event(token).await {
            Ok(200..=299) => settle(engine, tenant, &hook.id, event.cursor, true).await?,
            Ok(status) => return Err(EngineError::App(format!("the receiver answers {status}"))),
            Err(TransportError::NotSent(reason) | TransportError::MayBeSent(reason)) => {
                return Err(EngineError::App(reason));
            }
        }
    }
    let more = events.len() == TURN;
    // Entries that are no events need no delivery.
    settle(engine, tenant, &hook.id, if more { events[TURN - 1].cursor } else { head }, false).await?;
    Ok((events.len(), more))
}

/// Records what was delivered; the turn goes on, or others may take the next one.
async fn settle(
    engine: &Engine,
    tenant: &TenantId,
    id: &str,
    upto: i64,
    goes_on: bool,
) -> Result<(), EngineError> {
    let id = id.to_owned();
    let due_ms = if goes_on { engine.env.now_ms() + CLAIM_MS } else { 0 };
    engine
        .write(tenant, move |tx, context| {
            Ok(webhook::delivered(tx, &context.tenant, &id, upto, due_ms, context.now_ms)?)
        })
        .await
}

const SECRET: &str = "webhook";

fn place<'a>(tenant: &'a TenantId, id: &'a str) -> SecretName<'a> {
    SecretName { tenant, owner: id, name: SECRET }
}

/// 256 random bits as hexadecimal digits. Each draw is the world's own, not one of a sequence.
fn secret(engine: &Engine) -> Zeroizing<String> {
    let draw = |_| format!("{:016x}", IdSource::new(0, engine.env.random_bits()).bits());
    Zeroizing::new((0..4).map(draw).collect())
}
