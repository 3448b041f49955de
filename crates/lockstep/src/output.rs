//! What goes to stdout: tables for people, JSON for programs; and progress on stderr where somebody looks.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::environment;
use crate::error_report::CliError;

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    #[default]
    Table,
    /// JSON, one value.
    Json,
}

/// Writes results in the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// Output of this form.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// A result: `people` says it in words unless JSON was asked for.
    pub(crate) fn show(
        self,
        value: &impl Serialize,
        people: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.is_json() {
            let text = serde_json::to_string_pretty(value)
                .map_err(|error| CliError::new("output", format!("the result cannot be shown: {error}")))?;
            line(&text)
        } else {
            line(people().trim_end_matches('\n'))
        }
    }

    /// A list as a table, or as the JSON values that it was made from.
    pub(crate) fn list(
        self,
        values: &[Value],
        header: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Result<(), CliError> {
        self.show(&values, || if rows.is_empty() { "(none)".into() } else { table(header, rows) })
    }

    /// A change that was made, in one sentence.
    pub(crate) fn changed(self, changed: bool, sentence: &str) -> Result<(), CliError> {
        self.show(&json!({"changed": changed, "message": sentence}), || sentence.to_owned())
    }
}

/// Writes one line. A reader that has seen enough (`| head`) ends the program quietly.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::new("output", format!("stdout cannot be written: {error}"))),
    }
}

/// A note for people on stderr; never part of a result.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Rows under a header, aligned; no colours, so that nothing has to be stripped.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Names and values without a header.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name:<width$}  {}", printable(value))).collect();
    lines.join("\n")
}

/// Text from outside without characters that would move the cursor or hide text.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A time for people, UTC.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A count with its noun.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A progress bar on stderr; invisible where stderr is no terminal.
pub(crate) fn progress_bar(title: &str) -> ProgressBar {
    let plain = environment::variable("NO_COLOR").is_some();
    let colour = if plain { "" } else { ".cyan" };
    let template = format!("{{prefix}} [{{bar:32{colour}}}] {{pos}}/{{len}} {{elapsed}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(title.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain_and_hostile_names_cannot_move_the_cursor() {
        let shown = table(&["name", "n"], vec![vec!["a\u{1b}[31m".into(), "1".into()]]);
        assert!(shown.starts_with("NAME"));
        assert!(!shown.contains('\u{1b}'));
        assert_eq!(time(0), "1970-01-01 00:00:00");
    }
}
