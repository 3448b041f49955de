//! `--set PATH=VALUE` and `--unset PATH`, shared by users and groups.

use clap::Args;
use engine::directory::Edits;

/// Attributes by SCIM path.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Attributes {
    /// Any attribute by its SCIM path; may be repeated
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = parse_set)]
    pub(crate) set: Vec<(String, String)>,
    /// Clear an attribute; may be repeated
    #[arg(long = "unset", value_name = "PATH")]
    pub(crate) unset: Vec<String>,
}

impl Attributes {
    /// The edits, with those of convenient options before them.
    pub(crate) fn with(self, named: Vec<(&str, Option<String>)>) -> Edits {
        let mut set: Vec<(String, String)> =
            named.into_iter().filter_map(|(path, value)| Some((path.to_owned(), value?))).collect();
        set.extend(self.set);
        Edits { set, unset: self.unset }
    }
}

/// Splits at the first `=` outside brackets: a path may hold one inside its filter.
fn parse_set(text: &str) -> Result<(String, String), String> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '=' if depth == 0 && at > 0 => {
                return Ok((text[..at].trim().to_owned(), text[at + 1..].to_owned()));
            }
            _ => {}
        }
    }
    Err("write it as PATH=VALUE, for example title=Engineer".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_filter_keeps_its_equals_sign() {
        assert_eq!(parse_set("title=a=b"), Ok(("title".into(), "a=b".into())));
        let work = "emails[type eq \"a=b\"].value=x@y";
        assert_eq!(parse_set(work), Ok(("emails[type eq \"a=b\"].value".into(), "x@y".into())));
        assert!(parse_set("title").is_err() && parse_set("=x").is_err());
    }
}
