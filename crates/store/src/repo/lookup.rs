//! E-mail addresses, names and employee numbers of users, case-folded: what filters of the endpoint narrow by.

use domain::directory::User;
use domain::ids::{TenantId, UserId};
use serde_json::Value as Json;

use crate::{StoreError, Tx, Value, statement};

statement!(
    INSERT,
    "INSERT INTO lookup(tenant, attribute, value_key, user_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
);
statement!(
    DELETE,
    "DELETE FROM lookup WHERE tenant = $1 AND attribute = $2 AND value_key = $3 AND user_id = $4"
);
statement!(DELETE_ALL, "DELETE FROM lookup WHERE tenant = $1 AND user_id = $2");
statement!(DONE, "UPDATE usr SET lookups = 1 WHERE tenant = $1 AND id = $2");
statement!(
    EQUAL,
    "SELECT user_id FROM lookup WHERE tenant = $1 AND attribute = $2 AND value_key = $3 ORDER BY user_id LIMIT $4"
);
statement!(
    BETWEEN,
    "SELECT user_id FROM lookup WHERE tenant = $1 AND attribute = $2 AND value_key >= $3 AND value_key < $4
     ORDER BY value_key, user_id LIMIT $5"
);
statement!(MISSING, "SELECT id FROM usr WHERE tenant = $1 AND lookups = 0 AND id > $2 ORDER BY id LIMIT $3");

/// The attributes that have lookups, as a filter names them, in lower case.
pub const ATTRIBUTES: [&str; 5] =
    ["emails.value", "displayname", "name.givenname", "name.familyname", EMPLOYEE_NUMBER];

/// The attribute of the enterprise extension that may tie a first login to a user.
pub const EMPLOYEE_NUMBER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:employeenumber";

/// Adds a user with its lookups. `now_ms` becomes the time of creation.
pub fn insert_user(tx: &mut Tx<'_>, tenant: &TenantId, user: &User, now_ms: i64) -> Result<(), StoreError> {
    super::user::insert_as(tx, tenant, user, now_ms, true)?;
    insert(tx, tenant, user)
}

fn insert(tx: &mut Tx<'_>, tenant: &TenantId, user: &User) -> Result<(), StoreError> {
    for (attribute, key) in keys(&user.doc) {
        tx.later(&INSERT, &row(tenant, attribute, key, &user.id))?;
    }
    Ok(())
}

/// Brings the lookups from one document to another.
pub fn update(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &UserId,
    before: &Json,
    after: &Json,
) -> Result<(), StoreError> {
    let (before, after) = (keys(before), keys(after));
    for (attribute, key) in before.iter().filter(|old| !after.contains(old)) {
        tx.later(&DELETE, &row(tenant, attribute, key.clone(), id))?;
    }
    for (attribute, key) in after.into_iter().filter(|new| !before.contains(new)) {
        tx.later(&INSERT, &row(tenant, attribute, key, id))?;
    }
    Ok(())
}

/// Makes the lookups of a user anew.
pub fn rebuild(tx: &mut Tx<'_>, tenant: &TenantId, user: &User) -> Result<(), StoreError> {
    tx.later(&DELETE_ALL, &[tenant.as_str().into(), user.id.as_str().into()])?;
    insert(tx, tenant, user)?;
    tx.later(&DONE, &[tenant.as_str().into(), user.id.as_str().into()])
}

/// Users whose attribute is this value in any letter case, deleted ones included, by id.
pub fn equal(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    attribute: &str,
    value: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let params = [tenant.as_str().into(), attribute.into(), scim::fold(value).into(), limit.into()];
    tx.rows(&EQUAL, &params, |row| row.text(0))
}

/// Users whose attribute begins with this text in any letter case, deleted ones included.
pub fn starts_with(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    attribute: &str,
    text: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let from = scim::fold(text);
    let to = format!("{from}\u{10ffff}");
    let params = [tenant.as_str().into(), attribute.into(), from.into(), to.into(), limit.into()];
    tx.rows(&BETWEEN, &params, |row| row.text(0))
}

/// Users whose lookups were never written, by id, after the id `after`.
pub fn missing(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    tx.rows(&MISSING, &[tenant.as_str().into(), after.into(), limit.into()], |row| {
        row.text(0).map(UserId::new)
    })
}

fn row(tenant: &TenantId, attribute: &str, key: String, id: &UserId) -> [Value; 4] {
    [tenant.as_str().into(), attribute.into(), key.into(), id.as_str().into()]
}

/// The lookups of a document, each once.
fn keys(doc: &Json) -> Vec<(&'static str, String)> {
    let emails = doc.get("emails").and_then(Json::as_array).into_iter().flatten();
    let mut found: Vec<(&'static str, String)> = emails
        .filter_map(|email| email.get("value")?.as_str())
        .map(|value| (ATTRIBUTES[0], scim::fold(value)))
        .collect();
    let name = doc.get("name");
    let texts = [
        doc.get("displayName"),
        name.and_then(|name| name.get("givenName")),
        name.and_then(|name| name.get("familyName")),
        doc.get(scim::urn::ENTERPRISE_USER).and_then(|extension| extension.get("employeeNumber")),
    ];
    for (attribute, text) in ATTRIBUTES[1..].iter().zip(texts) {
        found.extend(text.and_then(Json::as_str).map(|text| (*attribute, scim::fold(text))));
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_each_key_once_and_folded() {
        let doc = serde_json::json!({
            "displayName": "Ann B", "name": {"givenName": "ANN"},
            "emails": [{"value": "A@x"}, {"value": "a@X"}, {"type": "home"}],
        });
        let found = keys(&doc);
        assert_eq!(
            found,
            [
                ("displayname", "ann b".to_owned()),
                ("emails.value", "a@x".to_owned()),
                ("name.givenname", "ann".to_owned())
            ]
        );
    }
}
