//! Mapping expressions: minijinja expressions with fuel, strict undefined, caps and functions named as in Okta and Entra.
//!
//! An expression sees `user` (the SCIM document), `manager` (that of the manager, or none) and `groups` (display names).
//! Nothing else: no clock, no randomness, no other user. `docs/mapping.md` lists every function with an example.

mod budget;
mod depends;
mod groups;
mod list;
mod pick;
mod shape;
mod text;

use std::sync::{Arc, LazyLock};

use minijinja::value::Value as JinjaValue;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;

pub use budget::TEXT_BUDGET;
pub use depends::DependsOn;
pub use shape::SOURCE_CAP;

/// Instructions an expression may use.
const FUEL: u64 = 20_000;
/// Bytes that the JSON of a result may have.
pub const OUTPUT_CAP: usize = 65_536;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    // Built-in filters that make long texts or lists of their own are left out; ours count what they write.
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    text::register(&mut env);
    list::register(&mut env);
    pick::register(&mut env);
    groups::register(&mut env);
    env
});

/// A compiled mapping expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    compiled: Arc<minijinja::Expression<'static, 'static>>,
    depends_on: DependsOn,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Expression {
    /// Compiles `source`; the error says where it stopped and what was expected. Length, nesting and the number of
    /// operators are capped before anything is parsed.
    pub fn compile(source: &str) -> Result<Self, String> {
        let tokens = shape::check(source)?;
        let compiled = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| format!("the expression does not compile: {}", describe(&error)))?;
        let depends_on = depends::find(&tokens, &compiled.undeclared_variables(true))
            .map_err(|problem| format!("the expression does not compile: {problem}"))?;
        Ok(Self { source: source.to_owned(), compiled: Arc::new(compiled), depends_on })
    }

    /// What the result depends on, known when it compiles.
    pub fn depends_on(&self) -> &DependsOn {
        &self.depends_on
    }

    /// True if the result can change when the manager changes.
    pub fn uses_manager(&self) -> bool {
        self.depends_on.manager
    }

    /// True if the result can change when group memberships change.
    pub fn uses_groups(&self) -> bool {
        self.depends_on.groups
    }

    /// Evaluates against `context`: `user`, `manager` (or none) and `groups` (list of display names).
    pub fn evaluate(&self, context: &Value) -> Result<Value, String> {
        let mut root: Vec<(&str, JinjaValue)> = vec![];
        for name in ["user", "manager", "groups"] {
            root.push((name, to_jinja(context.get(name).unwrap_or(&Value::Null))));
        }
        let run = if self.depends_on.by_path { budget::Run::with(context) } else { budget::Run::default() };
        root.push((budget::RUN, JinjaValue::from_object(run)));
        let result = self.compiled.eval(JinjaValue::from_pairs(root)).map_err(|error| describe(&error))?;
        if result.is_undefined() {
            return Err(describe(&Error::from(ErrorKind::UndefinedError)));
        }
        let json =
            serde_json::to_value(&result).map_err(|error| format!("the result is no JSON value: {error}"))?;
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
            let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!(
                "it uses a value that this user does not have{detail}; give it a default: user.title | default(''), or \
                 attribute('name.givenName'), which is none where there is nothing"
            )
        }
        ErrorKind::OutOfFuel => format!("it needs more than {FUEL} steps"),
        ErrorKind::UnknownFunction | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
            format!("{error}; docs/mapping.md lists the functions")
        }
        _ => error.to_string(),
    }
}

/// A refusal of a function, with its name in the text.
fn refusal(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn eval(source: &str) -> Result<Value, String> {
        let context =
            json!({"user": {"userName": "ada@x.org", "title": null}, "manager": null, "groups": ["Sales"]});
        Expression::compile(source)?.evaluate(&context)
    }

    #[test]
    fn expressions_compute_with_the_users_attributes() {
        assert_eq!(eval("user.userName | upper"), Ok(json!("ADA@X.ORG")));
        assert_eq!(eval("substring_before(user.userName, '@') ~ '.x'"), Ok(json!("ada.x")));
        assert_eq!(eval("switch('b', 'none', 'a', 1, 'b', 2)"), Ok(json!(2)));
        assert_eq!(eval("first_of(user.title, 'x')"), Ok(json!("x")));
        assert_eq!(eval("is_member_of('SALES')"), Ok(json!(true)));
        assert_eq!(eval("is_member_of(groups, 'SALES')"), Ok(json!(true)));
        assert_eq!(eval("1 if user.userName is startingwith('ada') else 2"), Ok(json!(1)));
    }

    #[test]
    fn what_does_not_compile_or_is_absent_is_an_error_with_its_cure() {
        assert!(eval("user.userName +").unwrap_err().contains("does not compile"));
        assert!(eval("user.nickName").unwrap_err().contains("default"));
        assert!(eval("user.nickName | default('-')").is_ok());
        assert!(eval("upperr(user.userName)").unwrap_err().contains("docs/mapping.md"));
        assert!(eval("range(100000000)").is_err());
        assert!(eval("__run").is_err());
        assert!(eval("manager.displayName").unwrap_err().contains("does not have"));
        assert_eq!(eval("manager_attribute('displayName')"), Ok(Value::Null));
    }

    #[test]
    fn dependencies_are_known_when_it_compiles() {
        let on = |source: &str| Expression::compile(source).unwrap().depends_on().clone();
        let expected =
            DependsOn { user: ["userName".to_owned()].into(), manager: true, ..DependsOn::default() };
        assert_eq!(on("manager.displayName ~ user.userName"), expected);
        let names = on("user.name.givenName ~ attribute('emails[type eq \"work\"].value') ~ user['title']");
        assert_eq!(names.user.iter().map(String::as_str).collect::<Vec<_>>(), ["*", "emails", "name"]);
        assert!(!names.manager && !names.groups);
        assert!(on("is_member_of_any('a')").groups && on("groups | length").groups);
        assert!(on("manager_attribute('title')").manager);
        assert_eq!(on("attribute(user.title)").user, ["*".to_owned(), "title".to_owned()].into());
        assert_eq!(on("'user.title ~ groups'"), DependsOn::default());
        let sliced = on("user.title[:1] ~ manager.title[1:1] ~ groups[0:1]");
        assert!(sliced.user.contains("*") && sliced.manager && sliced.groups);
    }
}
