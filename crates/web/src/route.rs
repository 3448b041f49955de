//! What a path names. Paths are read as sent; only the last segment, an id, is percent-decoded, once.

use engine::endpoint::Kind;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// Below a SCIM base; the tenant if the base names one.
    Scim(Option<String>, Target),
    /// Below `/api/v1`.
    Api(String),
    /// Nothing that is here.
    Unknown,
}

/// What a path below a SCIM base names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/Users`, `/Groups`
    All(Kind),
    /// `/Users/{id}`, `/Groups/{id}`
    One(Kind, String),
    /// `/Users/.search`, `/Groups/.search`, `/.search`
    Search(Option<Kind>),
    /// The base itself: a list of everything.
    Root,
    /// `/Bulk`
    Bulk,
    /// `/Me`
    Me,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/Schemas`, or one of them.
    Schemas(Option<String>),
    /// `/ResourceTypes`, or one of them.
    ResourceTypes(Option<String>),
    /// Nothing that is here.
    Unknown,
}

/// Reads a path without its query.
pub(crate) fn read(path: &str) -> Route {
    match path {
        "/healthz" => return Route::Health,
        "/readyz" => return Route::Ready,
        "/metrics" => return Route::Metrics,
        _ => {}
    }
    if let Some(rest) = below(path, "/scim/v2") {
        return Route::Scim(None, target(rest));
    }
    if let Some(rest) = path.strip_prefix("/t/")
        && let Some((tenant, rest)) = rest.split_once('/')
        && let Some(rest) =
            rest.strip_prefix("scim/v2").filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        return Route::Scim(Some(tenant.to_owned()), target(rest));
    }
    match below(path, "/api/v1") {
        Some(rest) => Route::Api(rest.to_owned()),
        None => Route::Unknown,
    }
}

fn below<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn target(rest: &str) -> Target {
    let mut parts: Vec<&str> = rest.split('/').skip(1).collect();
    // `/Users/?…` is what some clients send for a list.
    if parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    let kind = |name: &str| match name {
        "Users" => Some(Kind::User),
        "Groups" => Some(Kind::Group),
        _ => None,
    };
    match parts.as_slice() {
        [] => Target::Root,
        ["ServiceProviderConfig"] => Target::ServiceProviderConfig,
        ["Schemas"] => Target::Schemas(None),
        ["Schemas", id] => Target::Schemas(Some(decode(id))),
        ["ResourceTypes"] => Target::ResourceTypes(None),
        ["ResourceTypes", name] => Target::ResourceTypes(Some(decode(name))),
        ["Bulk"] => Target::Bulk,
        ["Me"] => Target::Me,
        [".search"] => Target::Search(None),
        [name] => kind(name).map_or(Target::Unknown, Target::All),
        [name, ".search"] => kind(name).map_or(Target::Unknown, |kind| Target::Search(Some(kind))),
        [name, id] if !id.is_empty() => {
            kind(name).map_or(Target::Unknown, |kind| Target::One(kind, decode(id)))
        }
        _ => Target::Unknown,
    }
}

/// Percent-decoding; broken escapes stay as they are, bytes that are no UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| digit(at + 1).zip(digit(at + 2))).flatten();
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_sent() {
        let scim = |target| Route::Scim(None, target);
        for (path, route) in [
            ("/scim/v2/Users", scim(Target::All(Kind::User))),
            ("/scim/v2/Users/", scim(Target::All(Kind::User))),
            ("/scim/v2/Groups/a%2Fb", scim(Target::One(Kind::Group, "a/b".to_owned()))),
            ("/scim/v2/Users/.search", scim(Target::Search(Some(Kind::User)))),
            ("/scim/v2/.search", scim(Target::Search(None))),
            ("/scim/v2", scim(Target::Root)),
            ("/scim/v2/%55sers", scim(Target::Unknown)),
            ("/scim/v2/users", scim(Target::Unknown)),
            ("/scim/v2//Users", scim(Target::Unknown)),
            ("/scim/v2/Users/a/b", scim(Target::Unknown)),
            ("/t/acme/scim/v2/Me", Route::Scim(Some("acme".to_owned()), Target::Me)),
            ("/t/acme/x", Route::Unknown),
            ("/scim/v2x/Users", Route::Unknown),
            ("//scim/v2/Users", Route::Unknown),
            ("/x/../scim/v2/Users", Route::Unknown),
            ("/Users", Route::Unknown),
            ("/api/v1/signin", Route::Api("/signin".to_owned())),
        ] {
            assert_eq!(read(path), route, "{path}");
        }
    }
}
