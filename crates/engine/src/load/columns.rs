//! What the columns of a CSV file give: named by SCIM paths, by a map, or by the export that the file is.

use std::collections::BTreeMap;

use scim::ResourceType;

use super::preset::{Meaning, Preset, Values};
use super::problem::Problems;
use super::table::same;
use crate::directory::attribute::{TextAttribute, shortened};

/// What one column gives; nothing if it is left out.
pub(super) type Given = Vec<(TextAttribute, Values)>;

/// How the columns of a file are named.
pub(super) struct Columns<'a> {
    /// The attribute that is the key besides externalId.
    pub(super) key: &'static str,
    /// Columns and their paths, before everything else.
    pub(super) map: &'a [(String, String)],
    /// The export that the file is.
    pub(super) preset: Option<&'static Preset>,
}

/// The columns of a file, understood.
#[derive(Default)]
pub(super) struct Named {
    /// What each gives.
    pub(super) columns: Vec<Given>,
    /// Headers that a preset does not know, or whose attribute another column gives.
    pub(super) ignored: Vec<String>,
}

impl Columns<'_> {
    /// The path that the map gives a column.
    fn mapped(&self, header: &str) -> Option<&str> {
        self.map.iter().find(|(column, _)| same(column, header)).map(|(_, path)| path.as_str())
    }

    /// What each header gives.
    pub(super) fn name(
        &self,
        file: &str,
        headers: &[String],
        resource_type: &ResourceType,
        problems: &mut Problems,
    ) -> Named {
        match self.preset {
            Some(preset) => self.by_preset(file, headers, resource_type, preset, problems),
            None => self.by_path(file, headers, resource_type, problems),
        }
    }

    /// Columns are named by SCIM paths, or by the map.
    fn by_path(
        &self,
        file: &str,
        headers: &[String],
        resource_type: &ResourceType,
        problems: &mut Problems,
    ) -> Named {
        let mut named = Named::default();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for header in headers {
            let mapped = self.mapped(header);
            if mapped == Some("") {
                named.columns.push(Vec::new());
                continue;
            }
            let place = format!("{}:1", file);
            let path = mapped.unwrap_or(header);
            match TextAttribute::parse_hinting(resource_type, path, !problems.is_full()) {
                Ok(attribute) => {
                    if let Some(earlier) = seen.insert(attribute.text(), header.clone()) {
                        let rule = format!("columns '{earlier}' and '{header}' are the same attribute");
                        problems.add(&place, &rule, "remove one of them");
                    }
                    named.columns.push(vec![(attribute, Values::AsTheyAre)]);
                }
                Err(reason) => {
                    let next = format!(
                        "rename the column, map it with --map '{0}=PATH', or leave it out with --map '{0}='",
                        shortened(header)
                    );
                    problems.add(&place, &format!("column {reason}"), &next);
                    named.columns.push(Vec::new());
                }
            }
        }
        named
    }

    /// Columns are those of a known export. One that it is not known to have is noted and left out.
    fn by_preset(
        &self,
        file: &str,
        headers: &[String],
        resource_type: &ResourceType,
        preset: &Preset,
        problems: &mut Problems,
    ) -> Named {
        let mut named = Named::default();
        let place = format!("{}:1", file);
        if !preset.fits(headers) && !self.map.iter().any(|(_, path)| path == self.key) {
            let rule = format!("there is no column '{}'; this is not {}", preset.key, preset.title);
            problems.add(&place, &rule, "export it again, or choose another --preset");
        }
        // Which column gives an attribute: a mapped one (rank 0), else the first of the preset's table.
        let mut best: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (at, header) in headers.iter().enumerate() {
            let (given, rank) = match self.mapped(header) {
                Some("") => (Vec::new(), 0),
                Some(path) => match TextAttribute::parse(resource_type, path) {
                    Ok(attribute) => (vec![(attribute, Values::AsTheyAre)], 0),
                    Err(reason) => {
                        problems.add(&place, &format!("--map '{header}': {reason}"), "correct the path");
                        (Vec::new(), 0)
                    }
                },
                None => match preset.meaning(resource_type, header) {
                    Meaning::Attributes(attributes, values, rank) => {
                        (attributes.into_iter().map(|attribute| (attribute, values)).collect(), rank + 1)
                    }
                    Meaning::LeftOut => (Vec::new(), 0),
                    Meaning::Unknown => {
                        named.ignored.push(header.clone());
                        (Vec::new(), 0)
                    }
                },
            };
            for (attribute, _) in &given {
                let holder = best.entry(attribute.text()).or_insert((rank, at));
                *holder = (*holder).min((rank, at));
            }
            named.columns.push(given);
        }
        for (at, (column, header)) in named.columns.iter_mut().zip(headers).enumerate() {
            let before = column.len();
            column.retain(|(attribute, _)| best.get(&attribute.text()).is_some_and(|(_, best)| *best == at));
            if before > 0 && column.is_empty() {
                named.ignored.push(header.clone());
            }
        }
        named
    }
}
