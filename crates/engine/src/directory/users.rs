//! Use cases on one user: create, edit, deactivate, reactivate, delete.

use domain::connection::SOURCE_PREFIX;
use domain::directory::{Change, User};
use domain::ids::{TenantId, UserId};
use scim::ResourceType;
use serde_json::{Value, json};
use store::Tx;
use store::repo::resource::Kind;
use store::repo::{audit, user};

use super::apply::apply;
use super::attribute::TextAttribute;
use crate::{Context, Engine, EngineError};

/// How many of an object's newest audit entries are searched for its deletion.
const DELETION_WITHIN: i64 = 20;

/// Attributes to write and to clear, as text: the paths are as in [`TextAttribute`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Paths and their new values.
    pub set: Vec<(String, String)>,
    /// Paths to clear.
    pub unset: Vec<String>,
}

/// A user or group after an edit.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited<T> {
    /// As it is stored now.
    pub object: T,
    /// False if it already was as asked.
    pub changed: bool,
}

impl Edits {
    /// Carries the edits out on a document. The error names the path.
    pub fn carry_out(&self, resource_type: &ResourceType, doc: &mut Value) -> Result<(), EngineError> {
        for path in &self.unset {
            TextAttribute::parse(resource_type, path).map_err(EngineError::Invalid)?.clear(doc);
        }
        for (path, text) in &self.set {
            let attribute = TextAttribute::parse(resource_type, path).map_err(EngineError::Invalid)?;
            attribute.set(doc, text).map_err(|problem| EngineError::Invalid(format!("{path}: {problem}")))?;
        }
        Ok(())
    }
}

/// Creates a user by hand from attributes; `userName` is required.
pub async fn create_user(engine: &Engine, tenant: &TenantId, edits: Edits) -> Result<User, EngineError> {
    engine
        .write(tenant, move |tx, ctx| {
            let mut doc = json!({});
            edits.carry_out(ctx.schemas.get(tx, &ctx.tenant)?.of(Kind::User), &mut doc)?;
            let id = UserId::new(ctx.ids.uuid());
            let change = Change::CreateUser { id: id.clone(), source: super::CONSOLE.to_owned(), doc };
            apply(tx, ctx, &[change])?;
            stored(tx, ctx, &id)
        })
        .await
}

/// Edits the user that `reference` (id, externalId or userName) names.
pub async fn edit_user(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    edits: Edits,
) -> Result<Edited<User>, EngineError> {
    change_user(engine, tenant, reference, move |user, doc| edits.carry_out(user, doc)).await
}

/// Deactivates or reactivates a user.
pub async fn set_active(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    active: bool,
) -> Result<Edited<User>, EngineError> {
    change_user(engine, tenant, reference, move |_, doc| {
        if let Some(fields) = doc.as_object_mut() {
            fields.insert("active".to_owned(), json!(active));
        }
        Ok(())
    })
    .await
}

/// Deletes a user; its row stays, so that what it had in the apps can be taken back. Gives the user as it was.
pub async fn delete_user(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<User, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let user = find(tx, &ctx.tenant, &reference)?;
            apply(tx, ctx, &[Change::DeleteUser { id: user.id.clone() }])?;
            Ok(user)
        })
        .await
}

/// A user who was brought back.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// As it is stored now.
    pub object: User,
    /// False if it was not deleted.
    pub changed: bool,
    /// The connection whose identity provider had deleted it: the user is inactive until that one says active.
    pub deleted_by: Option<String>,
}

/// Brings a deleted user back that `reference` (id, externalId or userName) names, with the memberships it had: inactive if
/// an identity provider had deleted it, else as before. Nothing changes if the id is that of a user who is there.
pub async fn restore_user(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<Restored, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let user = match one_deleted(
                "user",
                &reference,
                user::find_deleted(tx, &ctx.tenant, &reference)?,
                |user| user.id.as_str(),
            )? {
                Some(user) => user,
                None => {
                    let object =
                        find(tx, &ctx.tenant, &reference).map_err(|_| not_deleted("user", &reference))?;
                    return Ok(Restored { object, changed: false, deleted_by: None });
                }
            };
            let deleted_by = deleted_by(tx, &ctx.tenant, user.id.as_str())?;
            let deleted_by = deleted_by.and_then(|actor| Some(actor.strip_prefix(SOURCE_PREFIX)?.to_owned()));
            let mut batch = vec![Change::RestoreUser { id: user.id.clone() }];
            if deleted_by.is_some() && user.active {
                let mut doc = user.doc.clone();
                if let Some(fields) = doc.as_object_mut() {
                    fields.insert("active".to_owned(), json!(false));
                }
                batch.push(Change::UpdateUser { id: user.id.clone(), doc });
            }
            apply(tx, ctx, &batch)?;
            Ok(Restored { object: stored(tx, ctx, &user.id)?, changed: true, deleted_by })
        })
        .await
}

/// Who deleted a user or group last, as the audit log names them.
pub(crate) fn deleted_by(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<String>, EngineError> {
    let entries = audit::list(tx, tenant, Some(id), "", DELETION_WITHIN)?;
    let deletion = entries.into_iter().find(|recorded| recorded.entry.action.ends_with(".delete"));
    Ok(deletion.map(|recorded| recorded.entry.actor))
}

/// The deleted object that is meant: the one of that id, else the only one of that name.
pub(super) fn one_deleted<R>(
    kind: &'static str,
    reference: &str,
    mut found: Vec<R>,
    id: impl Fn(&R) -> &str,
) -> Result<Option<R>, EngineError> {
    if let Some(at) = found.iter().position(|one| id(one) == reference) {
        return Ok(Some(found.swap_remove(at)));
    }
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(&id).collect();
        return Err(EngineError::Invalid(format!(
            "{} deleted {kind}s were called '{reference}'; name one by its id, the last deleted first: {}",
            ids.len(),
            ids.join(", ")
        )));
    }
    Ok(found.pop())
}

/// The error for a reference to nothing that was deleted.
pub(super) fn not_deleted(kind: &'static str, reference: &str) -> EngineError {
    EngineError::NotFound {
        kind,
        name: reference.to_owned(),
        next: format!("lockstep {kind} list --deleted shows what can be brought back"),
    }
}

/// The user that a person means, or an error that says how to look it up.
pub(crate) fn find(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<User, EngineError> {
    user::find_by_ref(tx, tenant, reference)?.ok_or_else(|| EngineError::NotFound {
        kind: "user",
        name: reference.to_owned(),
        next: "name it by userName, externalId or id; lockstep user list shows all".to_owned(),
    })
}

async fn change_user(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    edit: impl Fn(&ResourceType, &mut Value) -> Result<(), EngineError> + Send + 'static,
) -> Result<Edited<User>, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let user = find(tx, &ctx.tenant, &reference)?;
            let mut doc = user.doc.clone();
            edit(ctx.schemas.get(tx, &ctx.tenant)?.of(Kind::User), &mut doc)?;
            let applied = apply(tx, ctx, &[Change::UpdateUser { id: user.id.clone(), doc }])?;
            Ok(Edited { object: stored(tx, ctx, &user.id)?, changed: applied.effective() > 0 })
        })
        .await
}

fn stored(tx: &mut Tx<'_>, ctx: &Context, id: &UserId) -> Result<User, EngineError> {
    match user::get(tx, &ctx.tenant, id)? {
        Some(user) => Ok(user),
        None => find(tx, &ctx.tenant, id.as_str()),
    }
}
