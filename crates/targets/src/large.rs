//! Large bodies of many shapes, as inputs of the target `request`: what one of them costs is what a hostile client can ask for.

use serde_json::json;

/// A shape: its request line, what stands before the repeated part, the part (`#` becomes its number), and what stands
/// after it. Parts are separated by commas.
struct Shape(&'static str, &'static str, &'static str, &'static str, &'static str);

const USER: &str = "POST /scim/v2/Users";
const GROUP: &str = "POST /scim/v2/Groups";
const PATCH_USER: &str = "PATCH /scim/v2/Users/2819c223";
const PATCH_GROUP: &str = "PATCH /scim/v2/Groups/e9e30dba";

const SHAPES: &[Shape] = &[
    Shape("numbers", USER, "{\"userName\":[", "#", "]}"),
    Shape("empty objects", USER, "{\"userName\":\"n\",\"x\":[", "{}", "]}"),
    Shape("unknown lists", USER, "{\"userName\":\"n\",\"x\":[", "{\"value\":\"#\",\"y\":[#,true]}", "]}"),
    Shape(
        "addresses",
        USER,
        "{\"userName\":\"n\",\"emails\":[",
        "{\"value\":\"a#@example.com\",\"type\":\"work\"}",
        "]}",
    ),
    Shape(
        "wrong addresses",
        USER,
        "{\"userName\":\"n\",\"emails\":[",
        "{\"value\":#,\"type\":\"work\"}",
        "]}",
    ),
    Shape("bare addresses", USER, "{\"userName\":\"n\",\"emails\":[", "\"a#@example.com\"", "]}"),
    Shape(
        "unknown parts",
        USER,
        "{\"userName\":\"n\",\"emails\":[",
        "{\"value\":\"#\",\"a#\":\"#\",\"b#\":1}",
        "]}",
    ),
    Shape(
        "primary addresses",
        USER,
        "{\"userName\":\"n\",\"emails\":[",
        "{\"value\":\"#\",\"primary\":\"True\"}",
        "]}",
    ),
    Shape("schemas", USER, "{\"userName\":\"n\",\"schemas\":[", "\"urn:example:#\"", "]}"),
    Shape("escapes", USER, "{\"userName\":\"n\",\"title\":\"", "\\u0041\\n", "\"}"),
    Shape(
        "certificates",
        USER,
        "{\"userName\":\"n\",\"x509Certificates\":[",
        "{\"value\":\"MIIB#AAA\"}",
        "]}",
    ),
    Shape("unknown members", GROUP, "{\"displayName\":\"n\",\"members\":[", "{\"value\":\"m#\"}", "]}"),
    Shape(
        "described members",
        GROUP,
        "{\"displayName\":\"n\",\"members\":[",
        "{\"value\":\"9c1f-#\",\"display\":\"Person #\",\"$ref\":\"https://example.com/Users/#\",\"type\":\"User\"}",
        "]}",
    ),
    Shape("wrong members", GROUP, "{\"displayName\":\"n\",\"members\":[", "{\"value\":#}", "]}"),
    Shape(
        "one member again",
        GROUP,
        "{\"displayName\":\"n\",\"members\":[",
        "{\"value\":\"2819c223\"}",
        "]}",
    ),
    Shape("bare members", GROUP, "{\"displayName\":\"n\",\"members\":[", "\"m#\"", "]}"),
    Shape(
        "replaced members",
        "PUT /scim/v2/Groups/e9e30dba",
        "{\"displayName\":\"n\",\"members\":[",
        "{\"value\":\"m#\"}",
        "]}",
    ),
    Shape(
        "added members",
        PATCH_GROUP,
        "{\"Operations\":[{\"op\":\"add\",\"path\":\"members\",\"value\":[",
        "{\"value\":\"m#\"}",
        "]}]}",
    ),
    Shape(
        "removed members",
        PATCH_GROUP,
        "{\"Operations\":[{\"op\":\"remove\",\"path\":\"members\",\"value\":[",
        "{\"value\":\"m#\"}",
        "]}]}",
    ),
    Shape(
        "operations",
        PATCH_USER,
        "{\"Operations\":[",
        "{\"op\":\"replace\",\"path\":\"title\",\"value\":\"#\"}",
        "]}",
    ),
    Shape(
        "odd operations",
        PATCH_USER,
        "{\"Operations\":[",
        "{\"op\":\"replace\",\"path\":\"title\",\"x#\":\"#\"}",
        "]}",
    ),
    Shape(
        "added addresses",
        PATCH_USER,
        "{\"Operations\":[{\"op\":\"add\",\"path\":\"emails\",\"value\":[",
        "{\"value\":\"#\",\"type\":\"t#\"}",
        "]}]}",
    ),
    Shape(
        "bulk",
        "POST /scim/v2/Bulk",
        "{\"Operations\":[",
        "{\"method\":\"DELETE\",\"path\":\"/Users/u#\"}",
        "]}",
    ),
    Shape("attributes", "POST /scim/v2/.search", "{\"attributes\":[", "\"a#\"", "]}"),
    Shape("unknown search", "POST /scim/v2/Users/.search", "{\"x\":[", "{\"value\":\"#\"}", "]}"),
];

/// A body of about so many bytes in every shape and dialect, with its name.
pub fn bodies(bytes: usize) -> Vec<(String, Vec<u8>)> {
    let mut bodies = vec![];
    for dialect in ["strict", "auto"] {
        for Shape(name, line, before, part, after) in SHAPES {
            let separator = if before.ends_with('"') { "" } else { "," };
            let mut body = before.replacen('{', &format!("{{{}", schemas(line)), 1);
            if before.contains("\"schemas\"") {
                (*before).clone_into(&mut body);
            }
            for number in 0.. {
                body.push_str(&part.replace('#', &number.to_string()));
                if body.len() >= bytes {
                    break;
                }
                body.push_str(separator);
            }
            body.push_str(after);
            bodies.push(input(name, dialect, line, &body));
        }
        for (name, line, body) in composed(bytes) {
            bodies.push(input(name, dialect, line, &body));
        }
    }
    bodies
}

/// What a body says that it is.
fn schemas(line: &str) -> String {
    let urn = match line {
        USER => scim::urn::USER,
        PATCH_USER | PATCH_GROUP => scim::urn::PATCH_OP,
        _ if line.contains("Groups") => scim::urn::GROUP,
        _ => return String::new(),
    };
    format!("\"schemas\":[\"{urn}\"],")
}

fn input(name: &str, dialect: &str, line: &str, body: &str) -> (String, Vec<u8>) {
    let headers = format!("Content-Type: application/scim+json\ndialect: {dialect}");
    (format!("{name} ({dialect})"), format!("{line}\0{headers}\0{body}").into_bytes())
}

/// Shapes of more than one repeated part: first a long list, then as many operations as are allowed that look through it;
/// many names in many objects; many operations with long values.
fn composed(bytes: usize) -> Vec<(&'static str, &'static str, String)> {
    let most = scim::patch::MAX_OPERATIONS - 1;
    let selections = |attribute: &str, filter: &str, op: &str| {
        let path = format!("{attribute}[{filter}]{}", if op == "remove" { "" } else { ".display" });
        vec![
            json!({"op": op, "path": path, "value": if op == "remove" { json!(null) } else { json!("x") }});
            most
        ]
    };
    let list: Vec<_> =
        (0..bytes / 40).map(|number| json!({"value": format!("m{number}"), "type": "User"})).collect();
    let patch = |attribute: &str, rest: Vec<serde_json::Value>| {
        let mut operations = vec![json!({"op": "add", "path": attribute, "value": list})];
        operations.extend(rest);
        json!({"schemas": [scim::urn::PATCH_OP], "Operations": operations}).to_string()
    };
    let names: serde_json::Map<_, _> =
        (0..scim::body::MAX_NAMES).map(|number| (format!("n{number}"), json!(1))).collect();
    let wide = vec![json!(names); bytes / 9_000 + 1];
    let long = vec![json!({"op": "replace", "path": "title", "value": "x".repeat(bytes / most)}); most];
    vec![
        (
            "selected members",
            PATCH_GROUP,
            patch("members", selections("members", "display co \"zz\"", "remove")),
        ),
        (
            "selected addresses",
            PATCH_USER,
            patch("emails", selections("emails", "display co \"zz\"", "remove")),
        ),
        (
            "changed addresses",
            PATCH_USER,
            patch("emails", selections("emails", "value co \"zz\"", "replace")),
        ),
        ("wide objects", USER, json!({"schemas": [scim::urn::USER], "userName": "n", "x": wide}).to_string()),
        (
            "long values",
            PATCH_USER,
            json!({"schemas": [scim::urn::PATCH_OP], "Operations": long}).to_string(),
        ),
        ("wide resource", USER, {
            let mut fields = names.clone();
            fields.values_mut().for_each(|value| *value = json!("x".repeat(bytes / scim::body::MAX_NAMES)));
            json!(fields).to_string()
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_and_of_their_size() {
        for (name, input) in bodies(20_000) {
            let body = input.splitn(3, |byte| *byte == 0).nth(2).unwrap();
            assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok(), "{name}");
            assert!((20_000..400_000).contains(&body.len()), "{name}: {}", body.len());
        }
    }
}
