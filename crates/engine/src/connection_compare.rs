//! An export of an identity provider beside the directory: what it has and we lack or hold differently, and what makes it
//! send that again. An identity provider sends what changed, and believes that everything else arrived.

use std::collections::{BTreeMap, BTreeSet};

use domain::connection::{Connection, IdentityProvider};
use domain::difference::{AttributeDifference, differences};
use domain::directory::{Group, User};
use domain::finding_step;
use domain::ids::{GroupId, TenantId};
use scim::ResourceType;
use serde::Serialize;
use serde_json::Value;
use store::Tx;
use store::repo::resource::Kind;
use store::repo::{group, member, user};

use crate::connections;
use crate::context::Engine;
use crate::directory::resource::{group_document, user_document};
use crate::error::EngineError;
use crate::load::{Documents, LoadRequest, documents};

/// Something that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// `user`, `group` or `member`.
    pub kind: &'static str,
    /// The name in the export; of a membership `group > member`.
    pub name: String,
    /// `missing`, `deleted`, `differs` or `waits`: for a membership whose group or member is missing itself.
    pub state: &'static str,
    /// Line of the file.
    pub line: usize,
    /// What differs.
    pub attributes: Vec<AttributeDifference>,
    /// What makes the identity provider send it again.
    pub step: &'static str,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionComparison {
    /// What did not arrive: users, then groups, then memberships.
    pub lacks: Vec<Lack>,
    /// Users, groups and memberships that are here as the export says.
    pub same: usize,
    /// Users whom the policies of the connection keep out, and inactive ones who never came: nothing is wrong with them.
    pub not_expected: usize,
    /// Active users of this connection who are not in the users file.
    pub only_here: usize,
    /// Rows that could not be read, with their reason.
    pub problems: Vec<String>,
}

/// Compares files with what the connection pushed; nothing is changed.
pub async fn compare(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    request: LoadRequest,
) -> Result<ConnectionComparison, EngineError> {
    let has_users = request.users.is_some();
    let types = engine.types(tenant).await?;
    let files = documents(request, &types)?;
    let (tenant, name) = (tenant.clone(), name.to_owned());
    engine
        .read(move |tx| {
            let connection = connections::find_in(tx, &tenant, &name)?;
            let mut found = ConnectionComparison::default();
            let here = users(tx, &tenant, &connection, (&files, types.of(Kind::User)), &mut found)?;
            groups(tx, &tenant, connection.provider, (&files, types.of(Kind::Group)), &mut found)?;
            members(tx, &tenant, connection.provider, &files, &mut found)?;
            if has_users {
                let of_connection = user::count_active_of(tx, &tenant, &connection.source())?;
                found.only_here = usize::try_from(of_connection).unwrap_or(0).saturating_sub(here);
            }
            Ok(found)
        })
        .await
}

fn text<'a>(doc: &'a Value, name: &str) -> Option<&'a str> {
    doc.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Compares the users; gives how many active ones of the connection the file names.
fn users(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &Connection,
    (files, of): (&Documents, &ResourceType),
    found: &mut ConnectionComparison,
) -> Result<usize, EngineError> {
    let docs = readable(&files.users, |doc| user_document(of, doc), found);
    let (external_ids, names) = keys(&docs, "userName");
    let mut book = Book::<User>::default();
    for stored in user::find_by_external_ids(tx, tenant, &external_ids)? {
        book.by_external_id.insert(stored.external_id.clone().unwrap_or_default(), stored);
    }
    for stored in user::find_by_user_names(tx, tenant, &names)? {
        book.by_name.insert(scim::fold(&stored.user_name), stored);
    }
    let mut here = 0;
    for (line, given, doc) in &docs {
        let name = text(doc, "userName").or_else(|| text(doc, "externalId")).unwrap_or_default();
        let lack = |state, attributes, step| Lack {
            kind: "user",
            name: name.to_owned(),
            state,
            line: *line,
            attributes,
            step,
        };
        let expected = doc.get("active") != Some(&Value::Bool(false))
            && connection.settings.keeps_out(of, doc).is_none();
        match book.of(doc, text(doc, "userName")) {
            Some(stored) => {
                here += usize::from(stored.active && stored.source == connection.source());
                let differing = differences(given, &stored.doc);
                if differing.is_empty() {
                    found.same += 1;
                } else {
                    let step = finding_step::send_profile(connection.provider);
                    found.lacks.push(lack("differs", differing, step));
                }
            }
            None if !expected => found.not_expected += 1,
            None => {
                let reference = text(doc, "externalId").or_else(|| text(doc, "userName")).unwrap_or_default();
                let deleted = !user::find_deleted(tx, tenant, reference)?.is_empty();
                let state = if deleted { "deleted" } else { "missing" };
                found.lacks.push(lack(state, vec![], finding_step::create_user(connection.provider)));
            }
        }
    }
    Ok(here)
}

fn groups(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    provider: IdentityProvider,
    (files, of): (&Documents, &ResourceType),
    found: &mut ConnectionComparison,
) -> Result<(), EngineError> {
    let docs = readable(&files.groups, |doc| group_document(of, doc), found);
    let (external_ids, names) = keys(&docs, "displayName");
    let mut book = Book::<Group>::default();
    for stored in group::find_by_external_ids(tx, tenant, &external_ids)? {
        book.by_external_id.insert(stored.external_id.clone().unwrap_or_default(), stored);
    }
    for stored in group::find_by_display_names(tx, tenant, &names)? {
        book.by_name.insert(scim::fold(&stored.display_name), stored);
    }
    for (line, given, doc) in &docs {
        let name = text(doc, "displayName").or_else(|| text(doc, "externalId")).unwrap_or_default();
        let lack = |state, attributes, step| Lack {
            kind: "group",
            name: name.to_owned(),
            state,
            line: *line,
            attributes,
            step,
        };
        match book.of(doc, text(doc, "displayName")) {
            Some(stored) => {
                let differing = differences(given, &stored.doc);
                if differing.is_empty() {
                    found.same += 1;
                } else {
                    found.lacks.push(lack("differs", differing, finding_step::send_group(provider)));
                }
            }
            None => {
                let deleted = !group::find_deleted(tx, tenant, name)?.is_empty();
                let state = if deleted { "deleted" } else { "missing" };
                found.lacks.push(lack(state, vec![], finding_step::create_group(provider)));
            }
        }
    }
    Ok(())
}

fn members(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    provider: IdentityProvider,
    files: &Documents,
    found: &mut ConnectionComparison,
) -> Result<(), EngineError> {
    let mut groups: BTreeMap<&str, Option<GroupId>> = BTreeMap::new();
    let mut rows: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
    let mut people: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (line, outer, inner) in &files.members {
        if !groups.contains_key(outer.as_str()) {
            let id = group::find_by_ref(tx, tenant, outer)?.map(|stored| stored.id);
            if let Some(id) = &id {
                rows.insert(id.clone(), member::rows_of(tx, tenant, id)?.into_iter().collect());
            }
            groups.insert(outer, id);
        }
        if !people.contains_key(inner.as_str()) {
            let id = match user::find_by_ref(tx, tenant, inner)? {
                Some(stored) => Some(stored.id.to_string()),
                None => group::find_by_ref(tx, tenant, inner)?.map(|stored| stored.id.to_string()),
            };
            people.insert(inner, id);
        }
        let of_group = groups.get(outer.as_str()).and_then(Option::as_ref).and_then(|id| rows.get(id));
        let state = match (of_group, people.get(inner.as_str()).and_then(Option::as_ref)) {
            (Some(rows), Some(id)) if rows.contains(id) => {
                found.same += 1;
                continue;
            }
            (Some(_), Some(_)) => "missing",
            // Causes come first: the group or the user has to be sent before the membership.
            _ => "waits",
        };
        let step = finding_step::send_group(provider);
        let name = format!("{outer} > {inner}");
        found.lacks.push(Lack { kind: "member", name, state, line: *line, attributes: vec![], step });
    }
    Ok(())
}

/// Line, the document as the file says it, and the same as it would be stored.
type Readable<'a> = Vec<(usize, &'a Value, Value)>;

fn readable<'a>(
    rows: &'a [(usize, Result<Value, String>)],
    document: impl Fn(&Value) -> Result<Value, String>,
    found: &mut ConnectionComparison,
) -> Readable<'a> {
    let mut docs = vec![];
    for (line, row) in rows {
        let read = row.as_ref().map_err(Clone::clone).and_then(|given| Ok((given, document(given)?)));
        match read {
            Ok((given, doc)) => docs.push((*line, given, doc)),
            Err(problem) => found.problems.push(format!("line {line}: {problem}")),
        }
    }
    docs
}

fn keys<'a>(docs: &'a Readable<'_>, name: &str) -> (Vec<&'a str>, Vec<&'a str>) {
    let of = |name: &str| docs.iter().filter_map(|(_, _, doc)| text(doc, name)).collect();
    (of("externalId"), of(name))
}

/// What is stored, by its keys.
struct Book<R> {
    by_external_id: BTreeMap<String, R>,
    by_name: BTreeMap<String, R>,
}

impl<R> Default for Book<R> {
    fn default() -> Self {
        Self { by_external_id: BTreeMap::new(), by_name: BTreeMap::new() }
    }
}

impl<R> Book<R> {
    /// The object that a row means: by externalId, else by name.
    fn of(&self, doc: &Value, name: Option<&str>) -> Option<&R> {
        let by_id = text(doc, "externalId").and_then(|id| self.by_external_id.get(id));
        by_id.or_else(|| name.and_then(|name| self.by_name.get(&scim::fold(name))))
    }
}
