//! A request read as SCIM: which method, which resource, which parameters.

use crate::wire::Request;
use scim::ScimError;
use serde_json::Value;

/// The HTTP method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates, or searches at `/.search`.
    Post,
    /// Replaces.
    Put,
    /// Changes parts.
    Patch,
    /// Deletes.
    Delete,
    /// Any method SCIM does not know.
    Other,
}

/// The resource type a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/Users`
    Users,
    /// `/Groups`
    Groups,
}

/// What the path of a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All resources of a kind: list and create.
    All(Kind),
    /// One resource by its id.
    One(Kind, String),
    /// `/Users/.search` or `/Groups/.search` (RFC 7644 section 3.4.3).
    Search(Kind),
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/Schemas`, or one of them by its URN.
    Schemas(Option<String>),
    /// `/ResourceTypes`, or one of them by its name.
    ResourceTypes(Option<String>),
    /// `/Bulk`, `/Me` and `/.search` over all types, which this app does not offer.
    NotOffered(&'static str),
    /// Nothing that exists here.
    Unknown,
}

/// A request after its path, query and body were read.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub verb: Verb,
    /// What the path names.
    pub target: Target,
    /// Query parameters, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// The body: `Null` when empty, an error when it is no JSON.
    pub body: Result<Value, ScimError>,
}

impl Call {
    /// Reads a request; never fails, because what cannot be read is [`Target::Unknown`] or an `Err` body.
    pub fn read(request: &Request, base_path: &str) -> Self {
        let verb = match request.method.as_str() {
            "GET" => Verb::Get,
            "POST" => Verb::Post,
            "PUT" => Verb::Put,
            "PATCH" => Verb::Patch,
            "DELETE" => Verb::Delete,
            _ => Verb::Other,
        };
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let target = match path.strip_prefix(base_path) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => read_target(rest),
            _ => Target::Unknown,
        };
        Self { verb, target, query: scim::query::parameters(query), body: read_body(&request.body) }
    }

    /// The first query parameter with this name (compared without case).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The resource type the call is about, if any.
    pub fn kind(&self) -> Option<Kind> {
        match &self.target {
            Target::All(kind) | Target::One(kind, _) | Target::Search(kind) => Some(*kind),
            _ => None,
        }
    }

    /// Whether the call may change a user or a group.
    pub fn is_write(&self) -> bool {
        match self.target {
            Target::All(_) => self.verb == Verb::Post,
            Target::One(..) => matches!(self.verb, Verb::Put | Verb::Patch | Verb::Delete),
            _ => false,
        }
    }

    /// Names the operation for counters, for example `POST /Users`, `GET /Users?filter` or `PATCH /Groups/{id}`.
    pub fn operation(&self) -> String {
        let verb = self.verb.name();
        match &self.target {
            Target::All(kind) if self.verb == Verb::Get && self.parameter("filter").is_some() => {
                format!("{verb} {}?filter", kind.endpoint())
            }
            Target::All(kind) => format!("{verb} {}", kind.endpoint()),
            Target::One(kind, _) => format!("{verb} {}/{{id}}", kind.endpoint()),
            Target::Search(kind) => format!("{verb} {}/.search", kind.endpoint()),
            Target::ServiceProviderConfig => format!("{verb} /ServiceProviderConfig"),
            Target::Schemas(_) => format!("{verb} /Schemas"),
            Target::ResourceTypes(_) => format!("{verb} /ResourceTypes"),
            Target::NotOffered(path) => format!("{verb} {path}"),
            Target::Unknown => format!("{verb} elsewhere"),
        }
    }

    /// The resource whose writes must not overlap: its path, or for a create the key in the body.
    pub fn subject(&self) -> Option<String> {
        match &self.target {
            Target::One(kind, id) => Some(format!("{}/{id}", kind.endpoint())),
            Target::All(kind) if self.verb == Verb::Post => {
                let body = self.body.as_ref().ok()?;
                let key = ["externalId", "userName", "displayName"]
                    .iter()
                    .find_map(|name| body.get(name).and_then(Value::as_str))?;
                Some(format!("{}?{key}", kind.endpoint()))
            }
            _ => None,
        }
    }
}

impl Verb {
    /// The method as written in a request; `OTHER` for unknown ones.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

impl Kind {
    /// The endpoint's path below the base path.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::Users => "/Users",
            Self::Groups => "/Groups",
        }
    }
}

fn read_target(rest: &str) -> Target {
    let mut parts: Vec<String> = rest.split('/').skip(1).map(decode).collect();
    // `/Users/?…` is what some clients send for a list.
    if parts.len() > 1 && parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let kind = |name: &str| match name {
        "Users" => Some(Kind::Users),
        "Groups" => Some(Kind::Groups),
        _ => None,
    };
    match parts.as_slice() {
        ["ServiceProviderConfig"] => Target::ServiceProviderConfig,
        ["Schemas"] => Target::Schemas(None),
        ["Schemas", id] => Target::Schemas(Some((*id).to_owned())),
        ["ResourceTypes"] => Target::ResourceTypes(None),
        ["ResourceTypes", name] => Target::ResourceTypes(Some((*name).to_owned())),
        ["Bulk"] => Target::NotOffered("/Bulk"),
        ["Me"] => Target::NotOffered("/Me"),
        [".search"] => Target::NotOffered("/.search"),
        [name] => kind(name).map_or(Target::Unknown, Target::All),
        [name, ".search"] => kind(name).map_or(Target::Unknown, Target::Search),
        [name, id] => kind(name).map_or(Target::Unknown, |kind| Target::One(kind, (*id).to_owned())),
        _ => Target::Unknown,
    }
}

fn read_body(body: &[u8]) -> Result<Value, ScimError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|error| ScimError::invalid_syntax(format!("the body is no JSON: {error}")))
}

/// Percent-decoding of a part of the path; broken escapes stay as they are, bytes that are no UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| bytes.get(at + 1).zip(bytes.get(at + 2))).flatten();
        let escaped = escaped.and_then(|(high, low)| Some(hex(*high)? << 4 | hex(*low)?));
        if let Some(byte) = escaped {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str) -> Call {
        Call::read(&Request::new(method, path), "/scim/v2")
    }

    #[test]
    fn paths_are_read_like_clients_send_them() {
        assert_eq!(read("GET", "/scim/v2/Users").target, Target::All(Kind::Users));
        assert_eq!(read("GET", "/scim/v2/Users/?count=1").target, Target::All(Kind::Users));
        assert_eq!(read("GET", "/scim/v2/Groups/a%2Fb?").target, Target::One(Kind::Groups, "a/b".to_owned()));
        assert_eq!(read("POST", "/scim/v2/Users/.search").target, Target::Search(Kind::Users));
        assert_eq!(read("GET", "/scim/v2x/Users").target, Target::Unknown);
        assert_eq!(read("GET", "/Users").target, Target::Unknown);
        assert_eq!(read("GET", "/scim/v2").target, Target::Unknown);
        assert_eq!(read("GET", "/scim/v2/users").target, Target::Unknown);
    }

    #[test]
    fn query_escapes_plus_and_a_trailing_ampersand() {
        let call = read("GET", "/scim/v2/Users?filter=userName+eq+%22a%2Bb%40x%22&count=2&");
        assert_eq!(call.parameter("filter"), Some("userName eq \"a+b@x\""));
        assert_eq!(call.parameter("COUNT"), Some("2"));
        assert_eq!(call.query.len(), 2);
        assert_eq!(read("GET", "/scim/v2/Users?x=%zz%4").parameter("x"), Some("%zz%4"));
        assert_eq!(call.operation(), "GET /Users?filter");
    }
}
