//! Mapping expressions: the same result each time, within the cap, and only from what they are known to depend on.

use domain::expression::{Expression, OUTPUT_CAP, SOURCE_CAP};
use serde_json::{Value, json};

use crate::parts::{fields, json_field, user};

/// Bytes of a user: each input is evaluated up to five times, and sorting the letters of a text takes longer than reading it.
const USER_MAX: usize = 4_096;

/// Fields: an expression; optionally a user as JSON.
pub fn expression(data: &[u8]) {
    let fields = fields(data);
    let source = &fields[0];
    let expression = match Expression::compile(source) {
        Ok(expression) => expression,
        Err(problem) => {
            assert!(!problem.is_empty(), "a refusal has a reason");
            return;
        }
    };
    assert!(source.len() <= SOURCE_CAP, "{} bytes were accepted", source.len());
    let short = fields.get(1).is_some_and(|user| user.len() <= USER_MAX);
    let given = json_field(&fields, 1).filter(|given| short && given.is_object()).unwrap_or_else(user);
    let context = json!({
        "user": given,
        "manager": {"userName": "mandy@example.com", "displayName": "Mandy Pepperidge", "title": "Vice President"},
        "groups": ["Tour Guides", "Employees"],
    });
    let result = evaluate(&expression, &context);
    assert_eq!(evaluate(&expression, &context), result, "{source:?} gives the same each time");
    let named = &expression.depends_on().user;
    if !named.contains("*") {
        let mut fewer = given.clone();
        let keeps = |name: &String| named.iter().any(|named| covers(named, name));
        fewer.as_object_mut().expect("a user is an object").retain(|name, _| keeps(name));
        let other = evaluate(&expression, &with(&context, "user", fewer));
        assert_eq!(other, result, "{source:?} depends on nothing but {named:?}");
    }
    if !expression.uses_manager() {
        let other = evaluate(&expression, &with(&context, "manager", json!({"userName": "new"})));
        assert_eq!(other, result, "{source:?} does not depend on the manager");
    }
    if !expression.uses_groups() {
        let other = evaluate(&expression, &with(&context, "groups", json!(["Contractors"])));
        assert_eq!(other, result, "{source:?} does not depend on groups");
    }
}

/// Whether a dependency is that attribute, or one of that extension.
fn covers(named: &str, attribute: &str) -> bool {
    let head = named.get(..attribute.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(attribute))
        && matches!(named.as_bytes().get(attribute.len()), None | Some(b':'))
}

/// The value; `None` if there is none, with a reason that a person can read.
fn evaluate(expression: &Expression, context: &Value) -> Option<Value> {
    match expression.evaluate(context) {
        Ok(value) => {
            let size = value.as_str().map_or_else(|| value.to_string().len(), str::len);
            assert!(size <= OUTPUT_CAP, "the result has {size} bytes");
            Some(value)
        }
        Err(problem) => {
            assert!(!problem.is_empty(), "a refusal has a reason");
            None
        }
    }
}

fn with(context: &Value, name: &str, value: Value) -> Value {
    let mut changed = context.clone();
    changed[name] = value;
    changed
}
