//! Mapping expressions: minijinja expressions with fuel, strict undefined, an output cap and named functions.

use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, Value as JinjaValue};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;

/// Instructions an expression may use.
const FUEL: u64 = 20_000;
/// Characters that the source of an expression may have.
pub const SOURCE_CAP: usize = 4_096;
/// Bytes that the JSON of a result may have.
pub const OUTPUT_CAP: usize = 65_536;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    env.remove_global("range");
    env.remove_global("debug");
    env.add_function("substring_before", substring_before);
    env.add_function("substring_after", substring_after);
    env.add_function("first_of", first_of);
    env.add_function("switch", switch);
    env.add_function("is_member_of", is_member_of);
    env
});

/// A compiled mapping expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    compiled: std::sync::Arc<minijinja::Expression<'static, 'static>>,
    uses_manager: bool,
    uses_groups: bool,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Expression {
    /// Compiles `source`; the error says where it stopped and what was expected.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.len() > SOURCE_CAP {
            return Err(format!("the expression has {} characters; at most {SOURCE_CAP} are allowed", source.len()));
        }
        let compiled = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| format!("the expression does not compile: {}", describe(&error)))?;
        let names = compiled.undeclared_variables(false);
        Ok(Self {
            uses_manager: names.contains("manager"),
            uses_groups: names.contains("groups") || source.contains("is_member_of"),
            source: source.to_owned(),
            compiled: std::sync::Arc::new(compiled),
        })
    }

    /// True if the result can change when the manager changes.
    pub fn uses_manager(&self) -> bool {
        self.uses_manager
    }

    /// True if the result can change when group memberships change.
    pub fn uses_groups(&self) -> bool {
        self.uses_groups
    }

    /// Evaluates against `context`: `user`, `manager` (or none) and `groups` (list of display names).
    pub fn evaluate(&self, context: &Value) -> Result<Value, String> {
        let result =
            self.compiled.eval(to_jinja(context)).map_err(|error| describe(&error))?;
        if result.is_undefined() {
            return Err(describe(&Error::from(ErrorKind::UndefinedError)));
        }
        let json = serde_json::to_value(&result).map_err(|error| format!("the result is no JSON value: {error}"))?;
        let size = json.as_str().map_or_else(|| json.to_string().len(), str::len);
        if size > OUTPUT_CAP {
            return Err(format!("the result has {size} bytes; at most {OUTPUT_CAP} are allowed"));
        }
        Ok(json)
    }
}

fn to_jinja(value: &Value) -> JinjaValue {
    match value {
        Value::Null => JinjaValue::from(()),
        Value::Bool(flag) => JinjaValue::from(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => JinjaValue::from(integer),
            None => JinjaValue::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => JinjaValue::from(text.as_str()),
        Value::Array(items) => items.iter().map(to_jinja).collect(),
        Value::Object(fields) => {
            JinjaValue::from_pairs(fields.iter().map(|(name, field)| (name.as_str(), to_jinja(field))))
        }
    }
}

fn describe(error: &Error) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => {
            format!("it uses a value that this user does not have ({error}); add a default, for example user.title | default('')")
        }
        ErrorKind::OutOfFuel => format!("it needs more than {FUEL} steps"),
        _ => error.to_string(),
    }
}

/// `substring_before("a@b", "@")` is `"a"`; the whole text if the mark is absent.
fn substring_before(text: &str, mark: &str) -> String {
    text.split_once(mark).map_or(text, |(before, _)| before).to_owned()
}

/// `substring_after("a@b", "@")` is `"b"`; empty if the mark is absent.
fn substring_after(text: &str, mark: &str) -> String {
    text.split_once(mark).map_or("", |(_, after)| after).to_owned()
}

/// `first_of(a, b, c)` is the first value that is neither none nor empty.
fn first_of(values: Rest<JinjaValue>) -> JinjaValue {
    values.iter().find(|value| !value.is_none() && value.as_str() != Some("")).cloned().unwrap_or(JinjaValue::from(()))
}

/// `switch(value, default, "a", 1, "b", 2)`: the result beside the key that equals `value`, else the default.
fn switch(value: JinjaValue, default: JinjaValue, pairs: Rest<JinjaValue>) -> Result<JinjaValue, Error> {
    if pairs.len() % 2 != 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "switch needs pairs of a key and a result"));
    }
    Ok(pairs.chunks(2).find(|pair| pair[0] == value).map_or(default, |pair| pair[1].clone()))
}

/// `is_member_of(groups, "Sales")` without regard to case.
fn is_member_of(groups: JinjaValue, name: &str, options: Kwargs) -> Result<bool, Error> {
    options.assert_all_used()?;
    let wanted = scim::fold(name);
    Ok(groups.try_iter()?.any(|group| group.as_str().is_some_and(|text| scim::fold(text) == wanted)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn eval(source: &str) -> Result<Value, String> {
        let context = json!({"user": {"userName": "ada@x.org", "title": null}, "manager": null, "groups": ["Sales"]});
        Expression::compile(source)?.evaluate(&context)
    }

    #[test]
    fn expressions_compute_with_the_users_attributes() {
        assert_eq!(eval("user.userName | upper"), Ok(json!("ADA@X.ORG")));
        assert_eq!(eval("substring_before(user.userName, '@') ~ '.x'"), Ok(json!("ada.x")));
        assert_eq!(eval("switch('b', 'none', 'a', 1, 'b', 2)"), Ok(json!(2)));
        assert_eq!(eval("first_of(user.title, 'x')"), Ok(json!("x")));
        assert_eq!(eval("is_member_of(groups, 'SALES')"), Ok(json!(true)));
    }

    #[test]
    fn what_does_not_compile_is_absent_or_grows_too_much_is_an_error() {
        assert!(eval("user.userName +").unwrap_err().contains("does not compile"));
        assert!(eval("user.nickName").unwrap_err().contains("does not have"));
        assert!(eval("range(100000000) | list").is_err());
        assert!(eval("'abc' * 1000000000000").is_err());
        assert!(eval("('a' * 60000) ~ ('b' * 60000)").unwrap_err().contains("at most"));
        assert!(eval(&"(".repeat(4_000)).is_err());
    }

    #[test]
    fn dependencies_are_known_when_it_compiles() {
        let expression = Expression::compile("manager.displayName ~ user.userName").unwrap();
        assert!(expression.uses_manager());
        assert!(!expression.uses_groups());
    }
}
