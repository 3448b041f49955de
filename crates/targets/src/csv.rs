//! Files of users, groups and members: rows come back as they were written, and bad input is named, not guessed at.

use engine::EngineError;
use engine::directory::resource::{group_document, group_type, user_document, user_type};
use engine::load::{Documents, Format, LoadFile, LoadRequest, documents};
use engine::schemas::ResourceTypes;
use serde_json::Value;

/// The lines of an error: how many problems are named, and two around them.
const LINES_MAX: usize = 22;

/// Values that are written as rows: a row is many times as long as an empty value.
const VALUES_MAX: usize = 1_000;

/// The first byte says what follows: a file of users, groups or members as CSV, users as JSON lines, or values.
pub fn csv(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind {
        b'u' => {
            whole_file(bytes, Format::Csv, |file| LoadRequest { users: Some(file), ..LoadRequest::default() })
        }
        b'g' => whole_file(bytes, Format::Csv, |file| LoadRequest {
            groups: Some(file),
            ..LoadRequest::default()
        }),
        b'm' => whole_file(bytes, Format::Csv, |file| LoadRequest {
            members: Some(file),
            ..LoadRequest::default()
        }),
        b'j' => whole_file(bytes, Format::JsonLines, |file| LoadRequest {
            users: Some(file),
            ..LoadRequest::default()
        }),
        _ => values_come_back(&String::from_utf8_lossy(bytes)),
    }
}

fn whole_file(bytes: &[u8], format: Format, request: fn(LoadFile) -> LoadRequest) {
    let file = LoadFile { format: Some(format), ..LoadFile::new("file", bytes) };
    let read = self::read(request(file));
    let Some(read) = read.ok() else { return };
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let mut last = 0;
    let places = read.users.iter().chain(&read.groups).map(|(line, _)| *line);
    for line in places.chain(read.members.iter().map(|(line, ..)| *line)) {
        // Line ends are LF, CRLF or CR; rows come in order, whichever it is.
        assert!(
            line > last && (line <= lines || bytes.contains(&b'\r')),
            "line {line} of {lines} after {last}"
        );
        last = line;
    }
    for (_, doc) in &read.users {
        normal(doc, |doc| user_document(user_type(), doc));
    }
    for (_, doc) in &read.groups {
        normal(doc, |doc| group_document(group_type(), doc));
    }
    assert!(read.members.iter().all(|(_, group, member)| !group.is_empty() && !member.is_empty()));
}

/// What a row amounts to is valid as it stands, or refused with a reason.
fn normal(doc: &Result<Value, String>, document: fn(&Value) -> Result<Value, String>) {
    match doc.as_ref().map_err(Clone::clone).and_then(document) {
        Ok(valid) => assert_eq!(document(&valid).as_ref(), Ok(&valid), "what is valid stays as it is"),
        Err(reason) => assert!(!reason.is_empty(), "a refusal has a reason"),
    }
}

/// Values between unit separators, each written as a row of its own, with quotes where they are needed or by turns.
fn values_come_back(text: &str) {
    let values: Vec<String> =
        text.split('\u{1f}').take(VALUES_MAX).map(|value| value.replace('\0', "")).collect();
    let mut file = "externalId,title\r\n".to_owned();
    for (index, value) in values.iter().enumerate() {
        let quoted = value.contains(['"', ',', '\r', '\n']) || index % 2 == 0;
        let cell = if quoted { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.clone() };
        file.push_str(&format!("{index},{cell}{}", if index % 3 == 0 { "\n" } else { "\r\n" }));
    }
    let request =
        LoadRequest { users: Some(LoadFile::new("file.csv", file.as_bytes())), ..LoadRequest::default() };
    let read = read(request).unwrap_or_else(|error| panic!("{error}: {file:?}"));
    assert_eq!(read.users.len(), values.len(), "a row each");
    for ((_, doc), value) in read.users.iter().zip(&values) {
        let doc = doc.as_ref().unwrap_or_else(|problem| panic!("{problem}: {value:?}"));
        let title = doc.get("title").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(title, value, "the value is what was written");
    }
}

fn read(request: LoadRequest) -> Result<Documents, EngineError> {
    let read = documents(request, &ResourceTypes::standard());
    if let Err(error) = &read {
        let text = error.to_string();
        assert!(matches!(error, EngineError::Invalid(_)), "bad input is invalid: {text}");
        assert!(
            text.contains("file") && text.len() < 64 * 1024,
            "it names the file and is short: {} bytes",
            text.len()
        );
        assert!(text.matches("\n  ").count() <= LINES_MAX, "{text}");
    }
    read
}
