//! Presets: how the columns of a well-known export become attributes of users. The tables are data, in `preset_tables`.

use scim::ResourceType;

use super::preset_tables::PRESETS;
use crate::directory::attribute::{TextAttribute, shortened};

/// How one export format is read.
#[derive(Debug)]
pub struct Preset {
    /// The name on the command line; also the source of the users, unless another is named.
    pub name: &'static str,
    /// What it reads, for people.
    pub title: &'static str,
    /// The column without which a file is certainly no such export, as the export writes it.
    pub key: &'static str,
    /// Columns and what becomes of them. Header texts are in the plain form, see [`plain`].
    pub(super) columns: &'static [Column],
    /// Columns that the export is known to have and that are left out without a word, in the plain form.
    pub(super) left_out: &'static [&'static str],
}

/// One column of an export. If a file has two columns of one attribute, the first of the table counts.
#[derive(Debug)]
pub(super) struct Column {
    /// The headers it is known by, in the plain form.
    pub(super) headers: &'static [&'static str],
    /// The attributes that it gives, as SCIM paths.
    pub(super) paths: &'static [&'static str],
    /// What is done to its values.
    pub(super) values: Values,
}

/// What is done to the values of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// They are taken as they are.
    AsTheyAre,
    /// Words, in any letter case, that mean active, and words that mean inactive.
    Active {
        /// Active.
        yes: &'static [&'static str],
        /// Inactive.
        no: &'static [&'static str],
    },
}

/// What a header means.
pub(super) enum Meaning {
    /// These attributes.
    Attributes(Vec<TextAttribute>, Values, usize),
    /// It is known and left out.
    LeftOut,
    /// Nobody has seen it in this export.
    Unknown,
}

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name.eq_ignore_ascii_case(name))
    }

    /// All presets.
    pub fn all() -> &'static [Preset] {
        PRESETS
    }

    /// What a header means; the number is the rank of its column in the table.
    pub(super) fn meaning(&self, resource_type: &ResourceType, header: &str) -> Meaning {
        let header = plain(header);
        let found =
            self.columns.iter().enumerate().find(|(_, column)| column.headers.contains(&header.as_str()));
        match found {
            Some((rank, column)) => {
                let parsed = column.paths.iter().map(|path| {
                    TextAttribute::parse(resource_type, path)
                        .expect("a test reads every path of every preset")
                });
                Meaning::Attributes(parsed.collect(), column.values, rank)
            }
            None if self.left_out.contains(&header.as_str()) => Meaning::LeftOut,
            None => Meaning::Unknown,
        }
    }

    /// Whether a file with these headers can be such an export.
    pub(super) fn fits(&self, headers: &[String]) -> bool {
        let key = plain(self.key);
        let names = self.columns.iter().find(|column| column.headers.contains(&key.as_str()));
        headers
            .iter()
            .any(|header| names.is_some_and(|column| column.headers.contains(&plain(header).as_str())))
    }
}

impl Values {
    /// The text to store for a cell that is not empty; the error says what the column takes.
    pub(super) fn convert<'a>(&self, cell: &'a str) -> Result<&'a str, String> {
        let Values::Active { yes, no } = self else { return Ok(cell) };
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(cell.trim()));
        if is(yes) {
            Ok("true")
        } else if is(no) {
            Ok("false")
        } else {
            let known: Vec<&str> = yes.iter().chain(*no).copied().collect();
            Err(format!("must be one of {}, not '{}'", known.join(", "), shortened(cell)))
        }
    }
}

/// Letters and digits in lower case, without a note in brackets: `First Name [Required]` is `firstname`.
pub(super) fn plain(header: &str) -> String {
    let header = header.split('[').next().unwrap_or_default();
    let plain: String = header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match plain.strip_prefix("profile") {
        // Some tools write profile.login.
        Some(rest) if header.contains('.') => rest.to_owned(),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::resource::user_type;

    #[test]
    fn every_path_of_every_preset_is_an_attribute_and_no_header_means_two_things() {
        for preset in Preset::all() {
            let mut seen = BTreeSet::new();
            for column in preset.columns {
                for path in column.paths {
                    assert!(TextAttribute::parse(user_type(), path).is_ok(), "{}: {path}", preset.name);
                }
                for header in column.headers {
                    assert_eq!(plain(header), **header, "{}: plain form", preset.name);
                    assert!(seen.insert(*header), "{}: {header} twice", preset.name);
                }
            }
            for header in preset.left_out {
                assert_eq!(plain(header), **header, "{}: plain form", preset.name);
                assert!(seen.insert(*header), "{}: {header} twice", preset.name);
            }
            assert!(preset.fits(&[preset.key.to_owned()]), "{}: its key is a column", preset.name);
        }
    }

    #[test]
    fn headers_are_known_in_every_spelling_of_the_export() {
        for header in ["First Name [Required]", "firstName", "First name", "profile.firstName", "FIRST_NAME"]
        {
            assert_eq!(plain(header), "firstname");
        }
        assert_eq!(plain("profileUrl"), "profileurl");
    }
}
