//! Who signs in: an assertion of an identity provider, what the directory knows, and the decision.
//!
//! A login is known by issuer and subject, which never change. A subject that is not known yet is tied to a user only by the
//! pair that its connection declares (a claim and a SCIM attribute that both never change), never by a name or an e-mail
//! address; those only tell that something is to be decided by a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cause::Cause;
use crate::connection::Connection;
use crate::directory::User;
use crate::signin_pair::{SubjectAttribute, subject_attribute};

/// What an app's own sign-on code hands in after it has verified the assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigninRequest {
    /// OpenID Connect `iss`, or the entity id of a SAML identity provider.
    pub issuer: String,
    /// OpenID Connect `sub`, or a persistent SAML NameID.
    pub subject: String,
    /// The other claims by name.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
}

const USER_NAME: &[&str] = &[
    "preferred_username",
    "upn",
    "userName",
    "username",
    "unique_name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
];
const EMAIL: &[&str] =
    &["email", "mail", "emailAddress", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"];
const GIVEN_NAME: &[&str] = &[
    "given_name",
    "givenName",
    "firstName",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
];
const FAMILY_NAME: &[&str] = &[
    "family_name",
    "familyName",
    "lastName",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
];
const DISPLAY_NAME: &[&str] =
    &["name", "displayName", "http://schemas.microsoft.com/identity/claims/displayname"];

/// Claims in one request at most.
const MAX_CLAIMS: usize = 200;

impl SigninRequest {
    /// Refuses what cannot be an assertion; the error names the place.
    pub fn check(&self) -> Result<(), String> {
        for (name, text) in [("issuer", &self.issuer), ("subject", &self.subject)] {
            if text.trim().is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
                return Err(format!("{name}: 1 to 500 printable characters"));
            }
        }
        if self.claims.len() > MAX_CLAIMS {
            return Err(format!("claims: {MAX_CLAIMS} at most, these are {}", self.claims.len()));
        }
        let nul = |value: &Value| text_of(value).is_some_and(|text| text.contains('\u{0}'));
        match self.claims.iter().find(|(_, value)| nul(value)) {
            Some((name, _)) => Err(format!("claims: '{name}' holds a NUL character")),
            None => Ok(()),
        }
    }

    /// A claim as text; `sub` and `nameid` are the subject. Lists of one are that one.
    pub fn claim(&self, name: &str) -> Option<String> {
        match self.claims.get(name).and_then(text_of) {
            None if ["sub", "nameid"].contains(&name.to_lowercase().as_str()) => Some(self.subject.clone()),
            found => found,
        }
    }

    /// What the assertion calls the user.
    pub fn user_name(&self) -> Option<String> {
        self.first(USER_NAME)
    }

    /// The e-mail address in the assertion.
    pub fn email(&self) -> Option<String> {
        self.first(EMAIL)
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.claims.get(*name).and_then(text_of))
    }
}

fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(one) if one.len() == 1 => return text_of(&one[0]),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// What is known when the decision is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The connection of this issuer, if the asker may ask about it.
    pub connection: Option<Connection>,
    /// What issuer and subject stand for.
    pub known: Option<Known>,
    /// Users with the declared value, deleted ones too.
    pub holders: Vec<Holder>,
    /// Users with the asserted user name or e-mail address: for creating nobody twice, and for people to look at.
    pub close: Vec<Close>,
}

/// An issuer's subject that signed in before.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its user; none if the row is gone altogether.
    pub user: Option<User>,
    /// What the last assertion called the user, where the directory said otherwise.
    pub name: Option<String>,
    /// Since when.
    pub since_ms: Option<i64>,
}

/// A user with the declared value.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The user.
    pub user: User,
    /// The subject of this issuer that the user already is.
    pub subject: Option<String>,
}

/// A user who resembles the assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Close {
    /// The user.
    pub user: User,
    /// `userName` or `emails`.
    pub by: &'static str,
}

/// How a user signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Issuer and subject were known.
    Known,
    /// The declared pair tied them now.
    Linked,
}

/// The identity provider calls the user something else than the directory does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingRename {
    /// `userName` or `emails`.
    pub attribute: String,
    /// What the directory still says.
    pub directory: String,
    /// What the assertion says.
    pub asserted: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// This user signs in.
    SignIn {
        /// The user.
        user: Box<User>,
        /// How it was found.
        how: How,
        /// A rename that has not come yet.
        pending: Option<PendingRename>,
    },
    /// A new user is made, and signs in.
    Create {
        /// The user's document.
        doc: Value,
    },
    /// Nobody signs in.
    Refuse(Cause),
}

/// Decides who signs in.
pub fn decide(request: &SigninRequest, snapshot: &Snapshot, now_ms: i64) -> Decision {
    let Some(connection) = &snapshot.connection else { return Decision::Refuse(Cause::SigninIssuer) };
    let live = |user: &&User| user.deleted_ms.is_none();
    let user = snapshot.known.as_ref().and_then(|known| known.user.as_ref());
    if let Some(user) = user.filter(live) {
        return sign_in(request, snapshot, user, How::Known, now_ms);
    }
    match tied(request, snapshot, connection) {
        Ok(Some(user)) => sign_in(request, snapshot, user, How::Linked, now_ms),
        // Somebody who was deleted does not come back as a new user by signing in.
        Ok(None) if snapshot.known.is_some() => Decision::Refuse(Cause::SigninDeleted),
        Ok(None) => create(request, snapshot, connection),
        Err(cause) => Decision::Refuse(cause),
    }
}

fn sign_in(request: &SigninRequest, snapshot: &Snapshot, user: &User, how: How, now_ms: i64) -> Decision {
    if !user.active {
        return Decision::Refuse(Cause::SigninInactive);
    }
    let pending = pending_rename(request, snapshot.known.as_ref(), user, now_ms);
    Decision::SignIn { user: Box::new(user.clone()), how, pending }
}

/// The user that the declared pair names; none if there is no such user.
fn tied<'a>(
    request: &SigninRequest,
    snapshot: &'a Snapshot,
    connection: &Connection,
) -> Result<Option<&'a User>, Cause> {
    let Some(claim) = &connection.settings.subject_claim else { return Ok(None) };
    if request.claim(claim).is_none() {
        return Err(Cause::SigninClaimMissing);
    }
    let live: Vec<&Holder> =
        snapshot.holders.iter().filter(|holder| holder.user.deleted_ms.is_none()).collect();
    match live.as_slice() {
        [] if snapshot.holders.is_empty() => Ok(None),
        [] => Err(Cause::SigninDeleted),
        [holder] if holder.user.source != connection.source() => Err(Cause::SigninOtherSource),
        [holder] if holder.subject.as_deref().is_some_and(|of| of != request.subject) => {
            Err(Cause::SigninClaimed)
        }
        [holder] => Ok(Some(&holder.user)),
        _ => Err(Cause::SigninAmbiguous),
    }
}

fn create(request: &SigninRequest, snapshot: &Snapshot, connection: &Connection) -> Decision {
    let settings = &connection.settings;
    if !settings.create_on_first_login {
        return Decision::Refuse(Cause::SigninUnknown);
    }
    if snapshot.close.iter().any(|close| close.user.deleted_ms.is_none()) {
        return Decision::Refuse(Cause::SigninLooksLike);
    }
    let Some(doc) = new_document(request, connection) else {
        return Decision::Refuse(Cause::SigninNoName);
    };
    let outside =
        settings.required_group.as_ref().is_some_and(|group| !settings.default_groups.contains(group));
    if outside || settings.keeps_out(&scim::ResourceType::user(), &doc).is_some() {
        return Decision::Refuse(Cause::SigninNotAllowed);
    }
    Decision::Create { doc }
}

/// The document of a user who is made at the first login; none without a user name, or where the declared pair is the id,
/// which only the directory gives.
fn new_document(request: &SigninRequest, connection: &Connection) -> Option<Value> {
    let user_name = request.user_name().or_else(|| request.email())?;
    let mut doc = Map::new();
    doc.insert("userName".into(), json!(user_name));
    doc.insert("active".into(), json!(true));
    let mut name = Map::new();
    for (part, claims) in [("givenName", GIVEN_NAME), ("familyName", FAMILY_NAME)] {
        if let Some(text) = request.first(claims) {
            name.insert(part.into(), json!(text));
        }
    }
    if !name.is_empty() {
        doc.insert("name".into(), Value::Object(name));
    }
    if let Some(text) = request.first(DISPLAY_NAME) {
        doc.insert("displayName".into(), json!(text));
    }
    if let Some(email) = request.email() {
        doc.insert("emails".into(), json!([{"value": email, "type": "work", "primary": true}]));
    }
    let (claim, attribute) =
        (connection.settings.subject_claim.as_ref()?, connection.settings.subject_attribute.as_ref()?);
    let value = request.claim(claim)?;
    match subject_attribute(attribute).ok()? {
        SubjectAttribute::Id => return None,
        SubjectAttribute::ExternalId => drop(doc.insert("externalId".into(), json!(value))),
        SubjectAttribute::EmployeeNumber => {
            doc.insert(scim::urn::ENTERPRISE_USER.into(), json!({"employeeNumber": value}));
        }
    }
    Some(Value::Object(doc))
}

/// Compares what the assertion calls the user with what the directory does, without regard to letter case.
fn pending_rename(
    request: &SigninRequest,
    known: Option<&Known>,
    user: &User,
    now_ms: i64,
) -> Option<PendingRename> {
    let pending = |attribute: &str, directory: &str, asserted: String| {
        let before = known.filter(|known| known.name.as_deref() == Some(asserted.as_str()));
        PendingRename {
            attribute: attribute.to_owned(),
            directory: directory.to_owned(),
            since_ms: before.and_then(|known| known.since_ms).unwrap_or(now_ms),
            asserted,
        }
    };
    if let Some(asserted) = request.user_name()
        && scim::fold(&asserted) != scim::fold(&user.user_name)
    {
        return Some(pending("userName", &user.user_name, asserted));
    }
    let emails: Vec<&str> = user
        .doc
        .get("emails")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|email| email.get("value")?.as_str())
        .collect();
    let asserted = request.email()?;
    // Without an address in the directory the user name is one, as a rule.
    let (attribute, held) = match emails.as_slice() {
        [] if user.user_name.contains('@') => ("userName", vec![user.user_name.as_str()]),
        _ => ("emails", emails),
    };
    let first = held.first()?;
    let has = held.iter().any(|email| scim::fold(email) == scim::fold(&asserted));
    (!has).then(|| pending(attribute, first, asserted.clone()))
}
