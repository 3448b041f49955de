//! What an expression depends on, found when it compiles.

use std::collections::{BTreeSet, HashSet};

use scim::PatchPath;

use super::shape::Token;

/// What a result depends on. It may name too much, never too little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependsOn {
    /// The user's own attributes by name; with an extension's URN before it where there is one; `*` stands for any.
    pub user: BTreeSet<String>,
    /// The manager, or an attribute of the manager.
    pub manager: bool,
    /// The user's groups.
    pub groups: bool,
    /// Attributes are read by SCIM path.
    pub(super) by_path: bool,
}

impl DependsOn {
    /// Some attribute is named by its SCIM path, in any letter case.
    pub fn reads_by_path(&self) -> bool {
        self.by_path
    }
}

/// From the parts of the source and the variables that it reads (`user.name.givenName`, nested).
pub(super) fn find(tokens: &[Token<'_>], variables: &HashSet<String>) -> Result<DependsOn, String> {
    let mut found = DependsOn::default();
    let variables: BTreeSet<&String> = variables.iter().collect();
    for variable in variables {
        let mut parts = variable.split('.');
        match (parts.next(), parts.next()) {
            (Some("user"), Some(attribute)) => drop(found.user.insert(attribute.to_owned())),
            (Some("user"), None) => drop(found.user.insert("*".to_owned())),
            (Some("manager"), _) => found.manager = true,
            (Some("groups"), _) => found.groups = true,
            _ => {}
        }
    }
    // What is read inside a slice (`manager.title[:3]`) is not among the variables; so names count wherever they stand.
    let slices = tokens.contains(&Token::Sign('[')) && tokens.contains(&Token::Sign(':'));
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let is_field = at.checked_sub(1).is_some_and(|before| tokens[before] == Token::Sign('.'));
        match *word {
            "user" if slices && !is_field => drop(found.user.insert("*".to_owned())),
            "manager" if !is_field => found.manager = true,
            "groups" if !is_field => found.groups = true,
            "attribute" | "manager_attribute" => {
                found.by_path = true;
                found.manager |= *word == "manager_attribute";
                let path = literal_path(&tokens[at + 1..])?;
                if *word == "attribute" {
                    found.user.insert(path.unwrap_or_else(|| "*".to_owned()));
                }
            }
            name if name.starts_with("is_member_of") => found.groups = true,
            _ => {}
        }
    }
    Ok(found)
}

/// The attribute of `('PATH'` or `('PATH', …`; none if the path is computed. A path that is none is an error at once.
fn literal_path(rest: &[Token<'_>]) -> Result<Option<String>, String> {
    let [Token::Sign('('), Token::Text(text), Token::Sign(')' | ','), ..] = rest else { return Ok(None) };
    let path = PatchPath::parse(&text.replace("\\\"", "\"").replace("\\'", "'"))
        .map_err(|problem| format!("'{text}' is not an attribute path: {problem}"))?;
    Ok(Some(match path.urn {
        Some(urn) => format!("{urn}:{}", path.attr),
        None => path.attr,
    }))
}
