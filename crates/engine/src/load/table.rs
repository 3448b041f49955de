//! From a file's bytes to rows that can be carried out on a document.

use std::collections::BTreeMap;

use scim::ResourceType;
use serde_json::{Map, Value};

use super::columns::{Columns, Given};
use super::csv::{self, MAX_LINE};
use super::problem::Problems;
use super::{Format, LoadFile};
use crate::directory::attribute::shortened;

const MAX_FILE: usize = 512 * 1024 * 1024;

/// A users or groups file.
pub(super) struct Table {
    pub(super) file: String,
    pub(super) rows: Vec<Row>,
    /// Columns that a preset does not know.
    pub(super) ignored: Vec<String>,
    headers: Vec<String>,
    /// What each column gives; nothing for one that is left out.
    columns: Vec<Given>,
}

/// One user or group of a file.
pub(super) struct Row {
    pub(super) line: usize,
    /// externalId, unless empty.
    pub(super) external_id: Option<String>,
    /// userName or displayName, unless empty.
    pub(super) name: Option<String>,
    content: Content,
}

enum Content {
    Cells(Vec<String>),
    Object(Map<String, Value>),
}

/// A members file: (line, group, member).
pub(super) struct Pairs {
    pub(super) file: String,
    pub(super) rows: Vec<(usize, String, String)>,
    headers: Vec<String>,
}

impl Table {
    /// Reads a file; what is wrong with it is added to the problems.
    pub(super) fn read(
        file: &LoadFile,
        resource_type: &ResourceType,
        columns: &Columns<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut table = Table {
            file: file.name.clone(),
            rows: Vec::new(),
            ignored: Vec::new(),
            headers: Vec::new(),
            columns: Vec::new(),
        };
        let Some((text, format)) = decode(file, problems) else { return table };
        match format {
            Format::Csv => table.read_csv(text, resource_type, columns, problems),
            Format::JsonLines if columns.preset.is_some() => {
                problems.add(
                    &file.name,
                    "a preset reads CSV",
                    "leave out --preset, or load the export itself",
                );
            }
            Format::JsonLines => table.read_json(text, columns.key, problems),
        }
        table.check_keys(columns.key, problems);
        table
    }

    pub(super) fn has_header(&self, column: &str) -> bool {
        self.headers.iter().any(|header| same(header, column))
    }

    /// Carries a row out on a document. Each problem comes with the column or field it is in.
    pub(super) fn carry_out(&self, row: &Row, doc: &mut Value) -> Result<(), String> {
        match &row.content {
            Content::Object(object) => merge(doc, object),
            Content::Cells(cells) => {
                let pairs = self.columns.iter().zip(&self.headers).zip(cells);
                for ((attributes, header), cell) in pairs {
                    for (attribute, values) in attributes {
                        if !cell.is_empty() {
                            let text =
                                values.convert(cell).map_err(|problem| format!("{header} {problem}"))?;
                            attribute.set(doc, text).map_err(|problem| format!("{header} {problem}"))?;
                        } else if !attribute.is("active") {
                            attribute.clear(doc);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn read_csv(
        &mut self,
        text: &str,
        resource_type: &ResourceType,
        columns: &Columns<'_>,
        problems: &mut Problems,
    ) {
        let Some((headers, records)) = read_records(&self.file, text, problems) else { return };
        let named = columns.name(&self.file, &headers, resource_type, problems);
        (self.columns, self.ignored, self.headers) = (named.columns, named.ignored, headers);
        let position = |wanted: &str| {
            self.columns.iter().position(|column| column.iter().any(|(attribute, _)| attribute.is(wanted)))
        };
        let (external_id, name_at) = (position("externalId"), position(columns.key));
        for record in records {
            let cell = |at: Option<usize>| {
                at.and_then(|at| record.cells.get(at)).filter(|cell| !cell.is_empty()).cloned()
            };
            let (external_id, name) = (cell(external_id), cell(name_at));
            self.rows.push(Row {
                line: record.line,
                external_id,
                name,
                content: Content::Cells(record.cells),
            });
        }
    }

    fn read_json(&mut self, text: &str, name: &str, problems: &mut Problems) {
        for (line, object) in read_objects(&self.file, text, problems) {
            if object.keys().any(|key| key.eq_ignore_ascii_case("members")) {
                let place = format!("{}:{line} (members)", self.file);
                problems.add(
                    &place,
                    "members do not belong here",
                    "put them in a file of their own: {\"group\": …, \"member\": …}",
                );
            }
            let key =
                |wanted: &str| field(&object, wanted).and_then(Value::as_str).filter(|text| !text.is_empty());
            let (external_id, name) = (key("externalId").map(str::to_owned), key(name).map(str::to_owned));
            self.rows.push(Row { line, external_id, name, content: Content::Object(object) });
        }
    }

    /// Every row has a key, and no two rows the same, in any letter case.
    fn check_keys(&self, name: &str, problems: &mut Problems) {
        let mut seen: BTreeMap<(bool, String), usize> = BTreeMap::new();
        for row in &self.rows {
            let place = format!("{}:{}", self.file, row.line);
            if row.external_id.is_none() && row.name.is_none() {
                let rule = format!("the row has neither externalId nor {name}");
                problems.add(&place, &rule, "give it one of them: it says which object is meant");
            }
            let keys = [("externalId", &row.external_id), (name, &row.name)];
            for (attribute, value) in keys {
                let Some(value) = value else { continue };
                let key = (attribute == "externalId", scim::fold(value));
                if let Some(earlier) = seen.insert(key, row.line) {
                    let rule = format!("{attribute} '{}' is already in line {earlier}", shortened(value));
                    problems.add(
                        &place,
                        &rule,
                        "letter case does not tell them apart: remove or correct one of the rows",
                    );
                }
            }
        }
    }
}

impl Pairs {
    /// Reads a members file.
    pub(super) fn read(file: &LoadFile, map: &[(String, String)], problems: &mut Problems) -> Self {
        let mut pairs = Pairs { file: file.name.clone(), rows: Vec::new(), headers: Vec::new() };
        let Some((text, format)) = decode(file, problems) else { return pairs };
        match format {
            Format::Csv => pairs.read_csv(text, map, problems),
            Format::JsonLines => {
                for (line, object) in read_objects(&pairs.file, text, problems) {
                    let text = |name: &str| {
                        field(&object, name).and_then(Value::as_str).unwrap_or_default().to_owned()
                    };
                    pairs.rows.push((line, text("group"), text("member")));
                }
            }
        }
        for (line, group, member) in &pairs.rows {
            if group.is_empty() || member.is_empty() {
                let place = format!("{}:{line}", pairs.file);
                problems.add(
                    &place,
                    "the row does not name a group and a member",
                    "fill in both, or remove the row",
                );
            }
        }
        pairs
    }

    pub(super) fn has_header(&self, column: &str) -> bool {
        self.headers.iter().any(|header| same(header, column))
    }

    fn read_csv(&mut self, text: &str, map: &[(String, String)], problems: &mut Problems) {
        let Some((headers, records)) = read_records(&self.file, text, problems) else { return };
        let (mut group, mut member) = (None, None);
        for (at, header) in headers.iter().enumerate() {
            let mapped = map.iter().find(|(column, _)| same(column, header)).map(|(_, path)| path.as_str());
            match mapped.unwrap_or(header).to_ascii_lowercase().as_str() {
                "group" if group.is_none() => group = Some(at),
                "member" if member.is_none() => member = Some(at),
                "" if mapped.is_some() => {}
                _ => {
                    let rule = format!("column '{}' is not one of a members file", shortened(header));
                    problems.add(
                        &format!("{}:1", self.file),
                        &rule,
                        "it has the columns group,member, each once",
                    );
                }
            }
        }
        self.headers = headers;
        let (Some(group), Some(member)) = (group, member) else {
            let rule = "the columns group and member are not both there";
            problems.add(&format!("{}:1", self.file), rule, "name them in the first line: group,member");
            return;
        };
        let cell = |cells: &[String], at: usize| cells.get(at).cloned().unwrap_or_default();
        self.rows.extend(
            records
                .iter()
                .map(|record| (record.line, cell(&record.cells, group), cell(&record.cells, member))),
        );
    }
}

/// The text of a file, without a byte order mark, and its format.
fn decode<'a>(file: &'a LoadFile, problems: &mut Problems) -> Option<(&'a str, Format)> {
    let name = &file.name;
    let Some(format) = file.format() else {
        problems.add(name, "the ending does not tell the format", "name it .csv or .jsonl");
        return None;
    };
    if file.bytes.len() > MAX_FILE {
        problems.add(name, "the file is larger than 512 MiB", "split it");
        return None;
    }
    if file.bytes.starts_with(&[0xFF, 0xFE]) || file.bytes.starts_with(&[0xFE, 0xFF]) {
        problems.add(name, "the file is UTF-16", "save it as UTF-8");
        return None;
    }
    let text = match std::str::from_utf8(&file.bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = String::from_utf8_lossy(&file.bytes[..error.valid_up_to()]);
            let rule = if error.error_len().is_none() {
                "the file ends in the middle of a character"
            } else {
                "not UTF-8"
            };
            let next = if error.error_len().is_none() {
                "it is cut off: export it again"
            } else {
                "save the file as UTF-8 (it may be Latin-1 or Windows-1252)"
            };
            problems.add(&place_at_end(name, &valid), rule, next);
            return None;
        }
    };
    if let Some(nul) = text.find('\0') {
        problems.add(
            &place_at_end(name, &text[..nul]),
            "a NUL character",
            "no text file has one: export it again",
        );
        return None;
    }
    Some((text.strip_prefix('\u{feff}').unwrap_or(text), format))
}

/// file:line:column of what follows the text.
fn place_at_end(file: &str, before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{file}:{line}:{column}")
}

/// Header and rows of a CSV file; rows of another length than the header are problems.
fn read_records(file: &str, text: &str, problems: &mut Problems) -> Option<(Vec<String>, Vec<csv::Record>)> {
    let mut records = csv::parse(file, text, problems).into_iter();
    let Some(header) = records.next() else {
        if problems.is_empty() {
            problems.add(file, "the file is empty", "its first line must name the columns");
        }
        return None;
    };
    let headers: Vec<String> = header.cells.iter().map(|cell| cell.trim().to_owned()).collect();
    if let [only] = headers.as_slice()
        && let Some(separator) = [';', '\t'].into_iter().find(|separator| only.contains(*separator))
    {
        let rule = format!("the columns are separated by {separator:?}");
        problems.add(&format!("{file}:1"), &rule, "save the file with commas");
        return None;
    }
    let mut rows = Vec::new();
    for record in records {
        let (found, wanted) = (record.cells.len(), headers.len());
        if found == wanted {
            rows.push(record);
            continue;
        }
        let place = format!("{file}:{}", record.line);
        if record.last_without_end && found < wanted {
            let rule = format!("the file ends in the middle of a row ({found} of {wanted} columns)");
            problems.add(&place, &rule, "it is cut off: export it again");
        } else {
            let rule = format!("the row has {found} columns, the header has {wanted}");
            problems.add(&place, &rule, "put values that hold a comma in quotes, or add what is missing");
        }
    }
    Some((headers, rows))
}

/// Line and object of each line of a JSON Lines file.
fn read_objects(file: &str, text: &str, problems: &mut Problems) -> Vec<(usize, Map<String, Value>)> {
    let mut objects = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let place = format!("{file}:{number}");
        if line.len() > MAX_LINE {
            problems.add(&place, "the line is longer than 1 MiB", "write one object a line");
        } else if !line.trim().is_empty() {
            match serde_json::from_str(line) {
                Ok(Value::Object(object)) => objects.push((number, object)),
                Ok(_) => problems.add(
                    &place,
                    "the line is not a JSON object",
                    "write one object a line: {\"userName\": …}",
                ),
                Err(error) if error.is_eof() => {
                    problems.add(
                        &place,
                        "the object is not closed",
                        "write one object a line; if the file is cut off, export it again",
                    );
                }
                Err(error) => {
                    let place = format!("{place}:{}", error.column());
                    problems.add(
                        &place,
                        "not JSON",
                        "write one object a line, names and texts in double quotes",
                    );
                }
            }
        }
    }
    objects
}

/// Carries JSON out on a document: objects are merged, null clears (but `active` stays), everything else replaces.
fn merge(doc: &mut Value, patch: &Map<String, Value>) {
    if !doc.is_object() {
        *doc = Value::Object(Map::new());
    }
    let Some(fields) = doc.as_object_mut() else { return };
    for (name, value) in patch {
        let key = fields.keys().find(|key| key.eq_ignore_ascii_case(name)).unwrap_or(name).clone();
        match value {
            Value::Null if name.eq_ignore_ascii_case("active") => {}
            Value::Null => drop(fields.remove(&key)),
            Value::Object(inner) => merge(fields.entry(key).or_insert(Value::Null), inner),
            other => drop(fields.insert(key, other.clone())),
        }
    }
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

pub(super) fn same(a: &str, b: &str) -> bool {
    scim::fold(a.trim()) == scim::fold(b.trim())
}
