//! Connecting and setting apps: add, set, credentials, assignments, push groups. Each change is audited and marks its range.

use domain::app::{App, AppSettings, AppState};
use domain::audit::Entry;
use domain::ids::{AppId, Subject, TenantId};
use domain::snapshot::{CompiledApp, Push};
use serde_json::{Value, json};
use store::repo::change::{ChangeKind, RangeChange};
use store::repo::{app, audit, change, group, lane, user};
use store::{StoreError, Tx};
use zeroize::Zeroizing;

use crate::context::{Context, Engine};
use crate::error::EngineError;
use crate::seal::{SealingKey, SecretName};
use crate::transport::{Transport, check_base_url};

/// Priority of marks that concern many at once.
const BULK: i64 = 8;

/// Connects an app; it starts in preview. The token is sealed.
pub async fn add(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    settings: AppSettings,
    token: Option<Zeroizing<String>>,
    key: &SealingKey,
) -> Result<App, EngineError> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(EngineError::Invalid("an app's name has 1 to 100 printable characters".into()));
    }
    let settings =
        AppSettings { base_url: check_base_url(&settings.base_url, settings.allow_private)?, ..settings };
    let key = key.clone();
    engine
        .write(tenant, move |tx, context| {
            let id = AppId::new(context.ids.uuid());
            let new = App {
                id,
                name: name.clone(),
                state: AppState::Preview,
                settings: settings.clone(),
                version: 1,
            };
            compile(&new)?;
            app::insert(tx, &context.tenant, &new, context.now_ms).map_err(|error| match error {
                StoreError::Conflict { .. } => EngineError::Conflict(format!(
                    "an app named '{}' exists already; see lockstep app list",
                    new.name
                )),
                other => other.into(),
            })?;
            if let Some(token) = &token {
                put_token(tx, context, &new.id, token, &key)?;
            }
            record(tx, context, "app.add", &new, None, Some(describe(&new)))?;
            Ok(new)
        })
        .await
}

/// The app of this name or id.
pub async fn find(engine: &Engine, tenant: &TenantId, name: &str) -> Result<App, EngineError> {
    let (tenant, name) = (tenant.clone(), name.to_owned());
    engine.read(move |tx| find_in(tx, &tenant, &name)).await
}

/// The app of this name or id, inside a transaction.
pub fn find_in(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<App, EngineError> {
    let found = match app::by_name(tx, tenant, name)? {
        Some(found) => Some(found),
        None => app::get(tx, tenant, &AppId::new(name))?,
    };
    found.ok_or_else(|| EngineError::NotFound {
        kind: "app",
        name: name.to_owned(),
        next: "see lockstep app list".into(),
    })
}

/// All apps by name.
pub async fn list(engine: &Engine, tenant: &TenantId) -> Result<Vec<App>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(app::list(tx, &tenant)?)).await
}

/// Changes an app's state or settings; everybody linked or assigned is looked at again.
pub async fn change<F>(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    action: &'static str,
    edit: F,
) -> Result<App, EngineError>
where
    F: Fn(&mut App) -> Result<(), EngineError> + Send + 'static,
{
    let name = name.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let before = find_in(tx, &context.tenant, &name)?;
            let mut after = before.clone();
            edit(&mut after)?;
            after.settings.base_url = check_base_url(&after.settings.base_url, after.settings.allow_private)?;
            if after == before {
                return Ok(before);
            }
            compile(&after)?;
            if !app::update(tx, &context.tenant, &after)? {
                return Err(EngineError::Busy(
                    "somebody else changed the app at the same time; try again".into(),
                ));
            }
            record(tx, context, action, &after, Some(describe(&before)), Some(describe(&after)))?;
            mark_range(tx, context, ChangeKind::App, (after.id.as_str(), ""), &after.id)?;
            lane::probe_now(tx, &context.tenant, &after.id, context.now_ms)?;
            after.version += 1;
            Ok(after)
        })
        .await
}

fn compile(app: &App) -> Result<CompiledApp, EngineError> {
    CompiledApp::compile(app.clone()).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        EngineError::Invalid(texts.join("\n"))
    })
}

/// Stores new credentials, sealed. Test them before with [`transport_with`].
pub async fn set_token(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    token: Zeroizing<String>,
    key: &SealingKey,
) -> Result<App, EngineError> {
    let (name, key) = (name.to_owned(), key.clone());
    engine
        .write(tenant, move |tx, context| {
            let found = find_in(tx, &context.tenant, &name)?;
            put_token(tx, context, &found.id, &token, &key)?;
            record(tx, context, "app.credentials", &found, None, None)?;
            lane::probe_now(tx, &context.tenant, &found.id, context.now_ms)?;
            Ok(found)
        })
        .await
}

fn put_token(
    tx: &mut Tx<'_>,
    context: &mut Context,
    id: &AppId,
    token: &Zeroizing<String>,
    key: &SealingKey,
) -> Result<(), EngineError> {
    let tenant = context.tenant.clone();
    let place = SecretName { tenant: &tenant, owner: id.as_str(), name: "token" };
    let sealed = key.seal(place, token, &mut context.ids)?;
    Ok(app::put_secret(tx, &tenant, id.as_str(), "token", &sealed, context.now_ms)?)
}

/// The way to an app with its stored credentials.
pub async fn transport(
    engine: &Engine,
    tenant: &TenantId,
    found: &App,
    key: &SealingKey,
) -> Result<Transport, EngineError> {
    let (owner, id) = (tenant.clone(), found.id.clone());
    let sealed = engine.read(move |tx| Ok(app::secret(tx, &owner, id.as_str(), "token")?)).await?;
    let place = SecretName { tenant, owner: found.id.as_str(), name: "token" };
    let token = sealed.map(|sealed| key.open(place, &sealed)).transpose()?;
    Transport::new(&found.settings, token)
}

/// Who is assigned or unassigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user by id, externalId or userName.
    User(String),
    /// A group by id, externalId or displayName.
    Group(String),
}

/// Assigns (or unassigns) a user or group; false if it was already so.
pub async fn assign(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    target: Target,
    assigned: bool,
    priority: i64,
) -> Result<bool, EngineError> {
    let name = name.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let found = find_in(tx, &context.tenant, &name)?;
            let subject = resolve(tx, context, &target)?;
            let changed = if assigned {
                let assignment = app::Assignment { subject: subject.clone(), priority };
                app::assign(tx, &context.tenant, &found.id, &assignment, context.now_ms)?
            } else {
                app::unassign(tx, &context.tenant, &found.id, &subject)?
            };
            if changed {
                let action = if assigned { "app.assign" } else { "app.unassign" };
                let value = json!({"kind": subject.kind(), "id": subject.id(), "priority": priority});
                let (before, after) = if assigned { (None, Some(value)) } else { (Some(value), None) };
                record(tx, context, action, &found, before, after)?;
                mark_range(tx, context, ChangeKind::Assignment, (subject.id(), subject.kind()), &found.id)?;
            }
            Ok(changed)
        })
        .await
}

/// Finds a user or group by any of its names.
pub fn resolve(tx: &mut Tx<'_>, context: &Context, target: &Target) -> Result<Subject, EngineError> {
    match target {
        Target::User(text) => match user::find_by_ref(tx, &context.tenant, text)? {
            Some(found) => Ok(Subject::User(found.id)),
            None => Err(EngineError::NotFound {
                kind: "user",
                name: text.clone(),
                next: "name a user by id, externalId or userName".into(),
            }),
        },
        Target::Group(text) => match group::find_by_ref(tx, &context.tenant, text)? {
            Some(found) => Ok(Subject::Group(found.id)),
            None => Err(EngineError::NotFound {
                kind: "group",
                name: text.clone(),
                next: "name a group by id, externalId or displayName".into(),
            }),
        },
    }
}

/// Mirrors a group in an app; false if it already is.
pub async fn push_add(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    group_ref: &str,
) -> Result<bool, EngineError> {
    push(engine, tenant, name, group_ref, Push::Active).await
}

/// Ends the mirroring of a group; `leave` keeps it in the app. False if it was not mirrored.
pub async fn push_remove(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    group_ref: &str,
    leave: bool,
) -> Result<bool, EngineError> {
    push(engine, tenant, name, group_ref, if leave { Push::Leave } else { Push::Delete }).await
}

async fn push(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    group_ref: &str,
    push: Push,
) -> Result<bool, EngineError> {
    let (name, target) = (name.to_owned(), Target::Group(group_ref.to_owned()));
    engine
        .write(tenant, move |tx, context| {
            let found = find_in(tx, &context.tenant, &name)?;
            let Subject::Group(id) = resolve(tx, context, &target)? else { return Ok(false) };
            let changed = match push {
                Push::Active => app::push_add(tx, &context.tenant, &found.id, &id, context.now_ms)?,
                _ => app::push_remove(tx, &context.tenant, &found.id, &id, push == Push::Leave)?,
            };
            if changed {
                let action = if push == Push::Active { "push_group.add" } else { "push_group.remove" };
                record(tx, context, action, &found, None, Some(json!({"group": id.as_str(), "push": push})))?;
                mark_range(tx, context, ChangeKind::PushGroup, (id.as_str(), ""), &found.id)?;
            }
            Ok(changed)
        })
        .await
}

fn describe(app: &App) -> Value {
    json!({"name": app.name, "state": app.state, "settings": app.settings})
}

fn record(
    tx: &mut Tx<'_>,
    context: &mut Context,
    action: &str,
    found: &App,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), EngineError> {
    let entry = Entry {
        id: context.ids.uuid(),
        at_ms: context.now_ms,
        actor: context.actor.clone(),
        action: action.to_owned(),
        object_kind: "app".into(),
        object: found.id.to_string(),
        app: found.id.to_string(),
        trace: context.trace.clone(),
        before: before.map(|value| value.to_string()),
        after: after.map(|value| value.to_string()),
        salt: context.ids.uuid(),
    };
    Ok(audit::append(tx, &context.tenant, &entry)?)
}

fn mark_range(
    tx: &mut Tx<'_>,
    context: &mut Context,
    kind: ChangeKind,
    (object, member): (&str, &str),
    app_id: &AppId,
) -> Result<(), EngineError> {
    let range = RangeChange {
        id: context.ids.uuid(),
        kind,
        object: object.to_owned(),
        member: member.to_owned(),
        app: app_id.to_string(),
        wave: context.wave.clone(),
        priority: BULK,
        after_id: String::new(),
        created_ms: context.now_ms,
    };
    Ok(change::insert(tx, &context.tenant, &range)?)
}
