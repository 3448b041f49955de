//! A value that repeats its attribute's name: path `members` with the value `{"members": […]}`.

use serde_json::Value;

use crate::dialect::given::{Given, Target};
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{AUTO, Quirk};
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "wrapped_value",
        "A value that is an object of nothing but the attribute at the path means what is in it.",
        AUTO,
        "the Salesforce help on SCIM groups; wso2 issues 5333 and 16933",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let Target::Attribute { attribute, sub: None } = given.target(rt) else { return };
    let Some(Value::Object(object)) = &mut given.value else { return };
    let wraps = object.len() == 1 && object.keys().all(|name| name.eq_ignore_ascii_case(&attribute.name));
    if wraps && given.at_path && attribute.sub(&attribute.name).is_none() {
        let inner = object.values_mut().next().map(Value::take);
        given.value = inner;
        notes.add(given.place(), "taken out of an object that repeats the name");
    }
}
