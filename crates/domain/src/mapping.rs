//! How an app attribute gets its value: rules, their compiled form, and the attributes that they give for one user.

use std::collections::BTreeMap;

use scim::{Mutability, PatchPath, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::expression::{DependsOn, Expression};
use crate::source_check;

/// App attributes by path, for example `name.givenName` or `emails[type eq "work"].value`.
pub type Attributes = BTreeMap<String, Value>;

/// One row of a mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRule {
    /// The app attribute, as a SCIM path.
    pub target: String,
    /// Where the value comes from.
    pub source: MappingSource,
    /// When it is sent.
    #[serde(default)]
    pub when: MappingWhen,
}

/// Where the value of an app attribute comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingSource {
    /// An attribute of the directory user, as a SCIM path.
    Attribute(String),
    /// Always this value.
    Constant(Value),
    /// A minijinja expression over `user`, `manager` and `groups`.
    Expression(String),
    /// The id of the manager's account in the same app; waits for that account.
    ManagerAccount,
}

/// When an attribute is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingWhen {
    /// On create and whenever it changes.
    #[default]
    Always,
    /// On create only.
    Create,
}

/// A rule that does not compile or did not give a usable value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {problem}")]
pub struct MappingError {
    /// The app attribute.
    pub target: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// The mapping a new app starts with: the core attributes that nearly every app takes.
pub fn default_user_mapping() -> Vec<MappingRule> {
    let enterprise = scim::urn::ENTERPRISE_USER;
    let direct = |path: &str| MappingRule {
        target: path.to_owned(),
        source: MappingSource::Attribute(path.to_owned()),
        when: MappingWhen::Always,
    };
    let mut rules: Vec<MappingRule> = [
        "userName",
        "name.givenName",
        "name.familyName",
        "displayName",
        "title",
        "userType",
        "locale",
        "emails[type eq \"work\"].value",
        "phoneNumbers[type eq \"work\"].value",
    ]
    .map(direct)
    .into();
    rules.push(direct(&format!("{enterprise}:employeeNumber")));
    rules.push(direct(&format!("{enterprise}:department")));
    rules.push(MappingRule {
        target: format!("{enterprise}:manager.value"),
        source: MappingSource::ManagerAccount,
        when: MappingWhen::Always,
    });
    rules
}

/// A mapping ready to evaluate.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    rules: Vec<CompiledRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct CompiledRule {
    target: PatchPath,
    text: String,
    source: CompiledSource,
    when: MappingWhen,
}

#[derive(Clone, Debug, PartialEq)]
enum CompiledSource {
    Attribute(PatchPath),
    Constant(Value),
    Expression(Expression),
    ManagerAccount,
}

/// What a mapping is evaluated against.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingInput<'a> {
    /// The directory user's document.
    pub user: &'a Value,
    /// The manager's document, if there is one.
    pub manager: Option<&'a Value>,
    /// The id of the manager's account in this app, once it is live.
    pub manager_account: Option<&'a str>,
    /// Display names of the user's groups.
    pub groups: &'a [String],
}

impl Mapping {
    /// Compiles and checks rules against the schema of `resource`: every target must exist, be writable, and occur once.
    pub fn compile(rules: &[MappingRule], resource: &ResourceType) -> Result<Self, Vec<MappingError>> {
        let (mut compiled, mut errors): (Vec<CompiledRule>, Vec<MappingError>) = (vec![], vec![]);
        for rule in rules {
            match compile_rule(rule, resource) {
                Ok(done) if compiled.iter().any(|other| other.text.eq_ignore_ascii_case(&done.text)) => {
                    errors.push(error(&rule.target, "is mapped twice; keep one of the rules"));
                }
                Ok(done) => compiled.push(done),
                Err(problem) => errors.push(problem),
            }
        }
        if !compiled.iter().any(|rule| rule.text == "userName") && errors.is_empty() {
            errors.push(error("userName", "has no rule, and every app needs it (RFC 7643 section 4.1.1)"));
        }
        if errors.is_empty() { Ok(Self { rules: compiled }) } else { Err(errors) }
    }

    /// True if a manager's change can change a report's attributes.
    pub fn uses_manager(&self) -> bool {
        self.rules.iter().any(|rule| match &rule.source {
            CompiledSource::ManagerAccount => true,
            CompiledSource::Expression(expression) => expression.uses_manager(),
            _ => false,
        })
    }

    /// True if group memberships can change attributes.
    pub fn uses_groups(&self) -> bool {
        self.rules.iter().any(
            |rule| matches!(&rule.source, CompiledSource::Expression(expression) if expression.uses_groups()),
        )
    }

    /// What each rule that is an expression depends on, by target; known without evaluating anything.
    pub fn depends_on(&self) -> impl Iterator<Item = (&str, &DependsOn)> {
        self.rules.iter().filter_map(|rule| match &rule.source {
            CompiledSource::Expression(expression) => Some((rule.text.as_str(), expression.depends_on())),
            _ => None,
        })
    }

    /// Paths of all rules, whether they give a value or not.
    pub fn targets(&self) -> impl Iterator<Item = &String> {
        self.rules.iter().map(|rule| &rule.text)
    }

    /// Paths that are sent on create only.
    pub fn create_only(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter(|rule| rule.when == MappingWhen::Create).map(|rule| rule.text.as_str())
    }

    /// The app attributes of one user. Null, empty text and absent all mean: the account should not have it.
    pub fn evaluate(
        &self,
        input: &MappingInput<'_>,
        resource: &ResourceType,
    ) -> Result<Attributes, MappingError> {
        let mut attributes = Attributes::new();
        let mut context = None;
        for rule in &self.rules {
            let value = match &rule.source {
                CompiledSource::Attribute(path) => path.get(input.user).first().map(|value| (*value).clone()),
                CompiledSource::Constant(value) => Some(value.clone()),
                CompiledSource::ManagerAccount => input.manager_account.map(Value::from),
                CompiledSource::Expression(expression) => {
                    let context = context.get_or_insert_with(
                        || json!({"user": input.user, "manager": input.manager, "groups": input.groups}),
                    );
                    Some(expression.evaluate(context).map_err(|problem| error(&rule.text, problem))?)
                }
            };
            let Some(value) = value.filter(|value| !is_empty(value)) else { continue };
            check_value(rule, resource, &value)?;
            attributes.insert(rule.text.clone(), value);
        }
        if !attributes.contains_key("userName") {
            return Err(error(
                "userName",
                "is empty for this user; every account needs it (RFC 7643 section 4.1.1)",
            ));
        }
        Ok(attributes)
    }
}

/// Null, empty text, empty list and empty object are "unassigned" (RFC 7643 section 2.5).
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn compile_rule(rule: &MappingRule, resource: &ResourceType) -> Result<CompiledRule, MappingError> {
    let target = parse_path(&rule.target, &rule.target)?;
    let (parent, attribute) = resource.resolve_with_parent(&target.attr_path()).ok_or_else(|| {
        error(&rule.target, "is not in the app's schema; check its spelling and its schema URN")
    })?;
    let outer = parent.unwrap_or(attribute);
    if attribute.mutability == Mutability::ReadOnly || outer.mutability == Mutability::ReadOnly {
        return Err(error(&rule.target, "is read-only in the app's schema and cannot be mapped"));
    }
    if ["active", "externalId", "id", "schemas", "password"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&target.attr))
    {
        return Err(error(&rule.target, "is set by the program itself and cannot be mapped"));
    }
    if parent.is_some() && outer.multi_valued && target.filter.is_none() {
        let text = format!(
            "holds several values; say which one is meant, for example {}[type eq \"work\"].{}",
            outer.name, attribute.name
        );
        return Err(error(&rule.target, text));
    }
    let source = match &rule.source {
        MappingSource::Attribute(path) => {
            let path = parse_path(path, &rule.target)?;
            source_check::attribute(&path, &target, attribute)
                .map_err(|problem| error(&rule.target, problem))?;
            CompiledSource::Attribute(path)
        }
        MappingSource::Constant(value) => {
            scim::check_type(attribute, value).map_err(|problem| error(&rule.target, problem))?;
            CompiledSource::Constant(value.clone())
        }
        MappingSource::Expression(source) => {
            let expression = Expression::compile(source).map_err(|problem| error(&rule.target, problem))?;
            source_check::dependencies(expression.depends_on())
                .map_err(|problem| error(&rule.target, problem))?;
            CompiledSource::Expression(expression)
        }
        MappingSource::ManagerAccount => CompiledSource::ManagerAccount,
    };
    Ok(CompiledRule { text: target.to_string(), target, source, when: rule.when })
}

fn parse_path(path: &str, target: &str) -> Result<PatchPath, MappingError> {
    PatchPath::parse(path)
        .map_err(|problem| error(target, format!("'{path}' is not an attribute path: {problem}")))
}

fn check_value(rule: &CompiledRule, resource: &ResourceType, value: &Value) -> Result<(), MappingError> {
    let path = scim::AttrPath {
        urn: rule.target.urn.clone(),
        attr: rule.target.attr.clone(),
        sub: rule.target.sub.clone(),
    };
    match resource.resolve(&path) {
        Some(attribute) => scim::check_type(attribute, value).map_err(|problem| error(&rule.text, problem)),
        None => Ok(()),
    }
}

fn error(target: &str, problem: impl Into<String>) -> MappingError {
    MappingError { target: target.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(target: &str, source: MappingSource) -> MappingRule {
        MappingRule { target: target.into(), source, when: MappingWhen::Always }
    }

    fn compile(rules: &[MappingRule]) -> Result<Mapping, Vec<MappingError>> {
        Mapping::compile(rules, &ResourceType::user())
    }

    #[test]
    fn the_default_mapping_compiles_and_maps_a_user() {
        let mapping = compile(&default_user_mapping()).unwrap();
        let user = json!({"userName": "ada", "name": {"givenName": "Ada"}, "title": "",
            "emails": [{"type": "home", "value": "h@x"}, {"type": "work", "value": "w@x"}]});
        let input = MappingInput { user: &user, manager: None, manager_account: Some("u-9"), groups: &[] };
        let attributes = mapping.evaluate(&input, &ResourceType::user()).unwrap();
        assert_eq!(attributes["emails[type eq \"work\"].value"], json!("w@x"));
        assert_eq!(attributes[&format!("{}:manager.value", scim::urn::ENTERPRISE_USER)], json!("u-9"));
        assert!(!attributes.contains_key("title"));
        assert!(mapping.uses_manager());
    }

    #[test]
    fn wrong_rules_name_the_attribute_and_the_reason() {
        let user_name = rule("userName", MappingSource::Attribute("userName".into()));
        let problem = |rules: &[MappingRule]| compile(rules).unwrap_err()[0].to_string();
        assert!(
            problem(&[user_name.clone(), rule("shoeSize", MappingSource::Constant(json!(1)))])
                .contains("shoeSize")
        );
        assert!(
            problem(&[user_name.clone(), rule("title", MappingSource::Constant(json!(1)))]).contains("title")
        );
        assert!(problem(&[user_name.clone(), user_name.clone()]).contains("twice"));
        assert!(problem(&[rule("title", MappingSource::Constant(json!("x")))]).contains("userName"));
        assert!(
            problem(&[user_name.clone(), rule("title", MappingSource::Expression("user.".into()))])
                .contains("does not compile")
        );
        let from = |target: &str, path: &str| {
            problem(&[user_name.clone(), rule(target, MappingSource::Attribute(path.into()))])
        };
        assert!(from("emails.value", "userName").contains("say which one"));
        assert!(from("title", "shoeSize").contains("no attribute"));
        assert!(from("title", "active").contains("boolean"));
        assert!(from("title", "emails").contains("several"));
        assert!(from("meta.created", "title").contains("read-only"));
        let computed = |source: &str| {
            problem(&[user_name.clone(), rule("title", MappingSource::Expression(source.into()))])
        };
        assert!(computed("user.username").contains("user.userName"));
        assert!(computed("attribute('shoeSize')").contains("shoeSize"));
        assert!(
            problem(&[user_name, rule("active", MappingSource::Constant(json!(true)))]).contains("itself")
        );
    }

    #[test]
    fn what_expressions_depend_on_is_known_and_extensions_are_attributes() {
        let enterprise = scim::urn::ENTERPRISE_USER;
        let rules = [
            rule("userName", MappingSource::Attribute("userName".into())),
            rule(
                "title",
                MappingSource::Expression(format!("attribute('{enterprise}:costCenter') ~ user.locale")),
            ),
            rule("nickName", MappingSource::Expression("manager_attribute('TITLE', 'x')".into())),
        ];
        let mapping = compile(&rules).unwrap();
        let on: BTreeMap<&str, &DependsOn> = mapping.depends_on().collect();
        let title: Vec<&String> = on["title"].user.iter().collect();
        assert_eq!(title, ["locale", &format!("{enterprise}:costCenter")]);
        assert!(on["nickName"].manager && on["nickName"].user.is_empty() && mapping.uses_manager());
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_its_attribute() {
        let rules = [
            rule("userName", MappingSource::Attribute("userName".into())),
            rule("title", MappingSource::Expression("user.userName | length".into())),
        ];
        let mapping = compile(&rules).unwrap();
        let user = json!({"userName": "ada"});
        let input = MappingInput { user: &user, manager: None, manager_account: None, groups: &[] };
        assert_eq!(mapping.evaluate(&input, &ResourceType::user()).unwrap_err().target, "title");
    }
}
