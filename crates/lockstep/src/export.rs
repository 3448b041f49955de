//! CSV for spreadsheets: a cell that a spreadsheet would run as a formula is made text.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error_report::CliError;

/// Writes a table into a file, or to stdout for `-`.
pub(crate) fn write_csv(path: &Path, header: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
    let fail = |error: &std::io::Error| CliError::file("cannot-write", path, error);
    if path == Path::new("-") {
        return table(std::io::stdout().lock(), header, rows).map_err(|error| fail(&error));
    }
    let file = File::create(path).map_err(|error| fail(&error))?;
    table(file, header, rows).map_err(|error| fail(&error))
}

fn table(out: impl Write, header: &[&str], rows: &[Vec<String>]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| as_text(cell)))?;
    }
    writer.flush()
}

/// A cell that begins as formulas do gets an apostrophe before it: its text may have been chosen by a stranger.
fn as_text(cell: &str) -> String {
    let begins = cell
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if begins { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_arrives_as_text_and_nothing_else_changes() {
        let cells = [
            "=HYPERLINK(\"http://x\",\"a\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            " =1",
            "＝1",
            "a=b",
            "a,\"b\"",
            "",
        ];
        let mut bytes = vec![];
        let rows: Vec<Vec<String>> = cells.iter().map(|cell| vec![(*cell).to_owned()]).collect();
        table(&mut bytes, &["cell"], &rows).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let read: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
        for (cell, read) in cells.iter().zip(read) {
            let formula = cells.iter().position(|found| found == cell) < Some(7);
            assert_eq!(read, if formula { format!("'{cell}") } else { (*cell).to_owned() });
        }
    }
}
