//! A tenant's own extension schemas (RFC 7643 section 3.3): added, replaced and removed while the directory is in use.

mod types;

use domain::connection::Connection;
use domain::directory::Change;
use domain::extension::{check_replacement, read};
use domain::ids::{GroupId, TenantId, UserId};
use scim::{Filter, Schema};
use serde_json::Value;
use store::Tx;
use store::repo::resource::{self, Kind};
use store::repo::schema_extension::{self, Extension};
use store::repo::{connection, tenant};

use crate::audit_log::{Changed, record};
use crate::directory::apply;
use crate::{Context, Engine, EngineError};

pub use types::{ResourceTypes, SchemaCache};

/// Users or groups that one transaction takes data from.
const PAGE: usize = 100;
/// Priority of the marks that this causes: bulk.
const BULK: i64 = 8;

/// An extension schema and how much is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The schema.
    pub extension: Extension,
    /// Users or groups that hold data under it, without deleted ones.
    pub objects: i64,
}

/// Adds the schema of a definition (RFC 7643 section 7), or puts it in the place of the one of its URN; gives it, and whether
/// anything changed. While data is stored under a schema, a newer one must keep it valid.
pub async fn add(
    engine: &Engine,
    tenant: &TenantId,
    kind: Kind,
    definition: &str,
) -> Result<(Schema, bool), EngineError> {
    let definition = definition.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let types = ctx.schemas.get(tx, &ctx.tenant)?;
            let schema = read(&definition, types.of(kind)).map_err(EngineError::Invalid)?;
            let before = types.own_schema(&schema.id);
            if let Some((other, _)) = before.filter(|(other, _)| *other != kind) {
                return Err(EngineError::Conflict(format!(
                    "{} extends {}s already; remove that first, or choose another URN",
                    schema.id,
                    other.as_str()
                )));
            }
            if before.is_some_and(|(_, before)| *before == schema) {
                return Ok((schema, false));
            }
            let in_use = !schema_extension::used_by(tx, &ctx.tenant, kind, &schema.id, 1)?.is_empty();
            if let Some((_, before)) = before.filter(|_| in_use) {
                check_replacement(before, &schema).map_err(|problem| {
                    EngineError::Invalid(format!(
                        "{problem}; data is stored under this schema and must stay valid"
                    ))
                })?;
            }
            schema_extension::save(tx, &ctx.tenant, kind, &schema, ctx.now_ms)?;
            let action = if before.is_some() { "schema.set" } else { "schema.add" };
            changed(tx, ctx, action, before.map(|(_, before)| before), Some(&schema))?;
            Ok((schema, true))
        })
        .await
}

/// The tenant's own schemas, those of users first.
pub async fn list(engine: &Engine, tenant: &TenantId) -> Result<Vec<InUse>, EngineError> {
    let tenant = tenant.clone();
    engine
        .read(move |tx| {
            let mut out = vec![];
            for extension in schema_extension::list(tx, &tenant)? {
                let urn = &extension.schema.id;
                let objects = schema_extension::count_used(tx, &tenant, extension.kind, urn)?;
                out.push(InUse { extension, objects });
            }
            Ok(out)
        })
        .await
}

/// Any schema of the tenant's users and groups, the RFCs' own too.
pub async fn show(engine: &Engine, tenant: &TenantId, urn: &str) -> Result<Schema, EngineError> {
    let types = engine.types(tenant).await?;
    let mut all = types.all().into_iter().flat_map(|rt| std::iter::once(&rt.schema).chain(&rt.extensions));
    all.find(|schema| schema.id.eq_ignore_ascii_case(urn)).cloned().ok_or_else(|| not_found(urn))
}

/// Removes an own schema; gives how many users or groups lost data. While data is stored under it, that is refused unless
/// `with_data` says that the data is to go too. That happens in steps: interrupted, it goes on when it is asked for again.
pub async fn remove(
    engine: &Engine,
    tenant: &TenantId,
    urn: &str,
    with_data: bool,
) -> Result<usize, EngineError> {
    let mut total = 0;
    loop {
        let urn = urn.to_owned();
        let step = engine.write(tenant, move |tx, ctx| remove_step(tx, ctx, &urn, with_data)).await?;
        total += step.objects;
        if step.last {
            return Ok(total);
        }
    }
}

struct Step {
    objects: usize,
    last: bool,
}

fn remove_step(tx: &mut Tx<'_>, ctx: &mut Context, urn: &str, with_data: bool) -> Result<Step, EngineError> {
    let types = ctx.schemas.get(tx, &ctx.tenant)?;
    let (kind, schema) = types.own_schema(urn).ok_or_else(|| not_found(urn))?;
    if let Some(found) = connection::list(tx, &ctx.tenant)?.iter().find(|found| filters_by(found, &schema.id))
    {
        return Err(EngineError::Conflict(format!(
            "the include or exclude list of the connection '{}' uses {}; change it first: lockstep connection set {}",
            found.name, schema.id, found.name
        )));
    }
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut ids = schema_extension::used_by(tx, &ctx.tenant, kind, &schema.id, limit)?;
    if !ids.is_empty() && !with_data {
        let objects = schema_extension::count_used(tx, &ctx.tenant, kind, &schema.id)?;
        return Err(EngineError::Conflict(format!(
            "{objects} {}s hold data under {}; with --yes that data is removed too",
            kind.as_str(),
            schema.id
        )));
    }
    let last = ids.len() <= PAGE;
    ids.truncate(PAGE);
    let batch: Vec<Change> = resource::get_many(tx, &ctx.tenant, kind, &ids)?
        .into_iter()
        .map(|stored| without(kind, &stored.id, stored.doc, &schema.id))
        .collect();
    ctx.priority = BULK;
    if !batch.is_empty() {
        apply(tx, ctx, &batch)?;
    }
    if last {
        schema_extension::delete(tx, &ctx.tenant, kind, &schema.id)?;
        changed(tx, ctx, "schema.remove", Some(schema), None)?;
    }
    Ok(Step { objects: batch.len(), last })
}

fn without(kind: Kind, id: &str, mut doc: Value, urn: &str) -> Change {
    if let Some(fields) = doc.as_object_mut() {
        fields.retain(|name, _| !name.eq_ignore_ascii_case(urn));
    }
    match kind {
        Kind::User => Change::UpdateUser { id: UserId::new(id), doc },
        Kind::Group => Change::UpdateGroup { id: GroupId::new(id), doc },
    }
}

/// Whether a list of the connection looks at an attribute of this schema.
fn filters_by(found: &Connection, urn: &str) -> bool {
    let lists = [&found.settings.include, &found.settings.exclude];
    let filters = lists.into_iter().flatten().filter_map(|text| Filter::parse(text).ok());
    let begins = |name: &str| name.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn));
    filters.into_iter().any(|filter| filter.attributes().iter().any(|name| begins(name)))
}

/// Raises the version, so that every process compiles anew, and leaves the audit entry.
fn changed(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    action: &'static str,
    before: Option<&Schema>,
    after: Option<&Schema>,
) -> Result<(), EngineError> {
    tenant::schemas_changed(tx, &ctx.tenant)?;
    let shown = |schema: Option<&Schema>| schema.and_then(|schema| serde_json::to_value(schema).ok());
    let id = after.or(before).map_or("", |schema| schema.id.as_str()).to_owned();
    let of = Changed { kind: "schema", id: &id, before: shown(before), after: shown(after) };
    record(tx, ctx, action, of)
}

fn not_found(urn: &str) -> EngineError {
    EngineError::NotFound {
        kind: "schema",
        name: urn.to_owned(),
        next: "lockstep schema list shows the tenant's own".to_owned(),
    }
}
