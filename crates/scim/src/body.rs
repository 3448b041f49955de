//! Request bodies as JSON values: no name twice, no bottomless nesting, every refusal with its position.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::ScimError;
use crate::filter_lexer::shorten;

/// The deepest nesting of objects and lists.
pub const MAX_DEPTH: usize = 32;
/// The most names in one object.
pub const MAX_NAMES: usize = 1000;
/// The most values in one list: what nobody needs at once ends here, before all of it is kept.
pub const MAX_VALUES: usize = 50_000;
/// So many names are compared one by one; beyond that they are kept in a set. Nearly every object is small, and a set for
/// each costs more than the object.
const FEW_NAMES: usize = 16;

/// Reads a body. Attribute names ignore letter case, so two names that differ in case alone are one name given
/// twice, and which of them would count is a guess: refused, as is nesting deeper than [`MAX_DEPTH`] and an object
/// of more than [`MAX_NAMES`] names or a list of more than [`MAX_VALUES`] values. The size of the body is the caller's to limit.
pub fn read_body(bytes: &[u8]) -> Result<Value, ScimError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ScimError::invalid_syntax("the body is empty; a JSON object was expected"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Level { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| ScimError::invalid_syntax(format!("the body cannot be read: {error}")))
}

/// One value, below `depth` objects and lists.
#[derive(Clone, Copy)]
struct Level {
    depth: usize,
}

impl Level {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            if list.len() == MAX_VALUES {
                let detail =
                    format!("more than {MAX_VALUES} values in one list; send them in several requests");
                return Err(A::Error::custom(detail));
            }
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let (mut object, mut names) = (Map::new(), BTreeSet::new());
        while let Some(name) = access.next_key::<String>()? {
            if object.len() == MAX_NAMES {
                return Err(A::Error::custom(format!("more than {MAX_NAMES} names in one object")));
            }
            let twice = if object.len() < FEW_NAMES {
                object.keys().any(|other: &String| other.eq_ignore_ascii_case(&name))
            } else {
                if names.is_empty() {
                    names.extend(object.keys().map(|other| other.to_ascii_lowercase()));
                }
                !names.insert(name.to_ascii_lowercase())
            };
            if twice {
                return Err(A::Error::custom(format!("{:?} is given twice", shorten(&name))));
            }
            object.insert(name, access.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(text: &str) -> String {
        let error = read_body(text.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(crate::ScimType::InvalidSyntax)));
        error.detail
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for value in [
            json!({"a": [1, -1, 1.5, true, null, "é\n"], "b": {"c": {}}}),
            json!([]),
            json!("x"),
            json!(18_446_744_073_709_551_615u64),
        ] {
            assert_eq!(read_body(value.to_string().as_bytes()), Ok(value));
        }
        assert_eq!(read_body(b" {\"a\" : \"\\u00e9\"} \r\n"), Ok(json!({"a": "é"})));
    }

    #[test]
    fn a_name_given_twice_is_found_among_few_and_many() {
        for count in [1, FEW_NAMES - 1, FEW_NAMES, FEW_NAMES + 1, 100] {
            let names: Vec<String> = (0..count).map(|n| format!("\"name{n}\": {n}")).collect();
            let once = format!("{{{}}}", names.join(", "));
            assert_eq!(read_body(once.as_bytes()).unwrap().as_object().unwrap().len(), count);
            for again in [0, count - 1] {
                let twice = format!("{{{}, \"NAME{again}\": 0}}", names.join(", "));
                assert!(refusal(&twice).contains("given twice"), "{again} of {count}");
            }
        }
    }

    #[test]
    fn refuses_with_the_position() {
        assert_eq!(
            refusal("{\"active\": true,\n \"Active\": false}"),
            "the body cannot be read: \"Active\" is given twice at line 2 column 9"
        );
        assert!(refusal("{\"a\": {\"b\": 1, \"B\": 1}}").contains("given twice"));
        for (first, again) in [(0, 15), (0, 16), (14, 16), (15, 40), (16, 17), (39, 40)] {
            let names = (0..again).map(|number| format!("\"n{number}\": 1, ")).collect::<String>();
            let again = format!("N{first}");
            assert!(
                refusal(&format!("{{{names}\"{again}\": 1}}")).contains(&format!("{again:?} is given twice"))
            );
        }
        assert!(refusal("").contains("empty"));
        for bad in ["{", "{}}", "{\"a\":1,}", "nul", "1e999", "\"\u{1}\"", "{\"a\" 1}", "\u{feff}{}"] {
            assert!(refusal(bad).starts_with("the body cannot be read: "), "{bad}");
        }
        assert!(read_body(b"{\"a\": \"\xff\"}").is_err());
    }

    #[test]
    fn depth_and_width_have_an_end() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_body(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(refusal(&nested(MAX_DEPTH + 1)).contains("nested deeper than 32 levels at line 1 column"));
        assert!(refusal(&"{\"a\":".repeat(100_000)).contains("nested deeper"));
        let wide = |count: usize| {
            json!((0..count).map(|i| (format!("n{i}"), i)).collect::<std::collections::BTreeMap<_, _>>())
        };
        assert!(read_body(wide(MAX_NAMES).to_string().as_bytes()).is_ok());
        assert!(refusal(&wide(MAX_NAMES + 1).to_string()).contains("more than 1000 names"));
        assert!(read_body(json!(vec![1; MAX_VALUES]).to_string().as_bytes()).is_ok());
        assert!(refusal(&json!(vec![1; MAX_VALUES + 1]).to_string()).contains("in several requests"));
    }
}
