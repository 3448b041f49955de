//! A strict reader of CSV (RFC 4180): what other readers guess at (open quotes, quotes inside values) is a problem here.

use super::problem::Problems;

/// The longest line, or quoted lines together, in bytes.
pub(super) const MAX_LINE: usize = 1024 * 1024;
const MAX_COLUMNS: usize = 200;

/// One row of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line it begins in, from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
    /// The file ends with this row, without a line end.
    pub(super) last_without_end: bool,
}

/// Splits a text into rows; empty lines are left out. Reading stops at a quote that makes the rest uncertain.
pub(super) fn parse(file: &str, text: &str, problems: &mut Problems) -> Vec<Record> {
    let mut reader = Reader { file, text, at: 0, line: 1, line_start: 0, problems };
    let mut records = Vec::new();
    while reader.at < text.len() {
        match reader.record() {
            Ok(record) if record.cells.len() == 1 && record.cells[0].is_empty() => {}
            Ok(record) => records.push(record),
            Err(Stop) => break,
        }
    }
    records
}

/// Nothing after this can be trusted; the problem is noted.
struct Stop;

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn record(&mut self) -> Result<Record, Stop> {
        let (line, start) = (self.line, self.at);
        let mut cells = Vec::new();
        let last_without_end = loop {
            let cell = if self.peek() == Some(b'"') { self.quoted()? } else { self.plain() };
            cells.push(cell);
            if self.at - start > MAX_LINE || cells.len() > MAX_COLUMNS {
                return Err(self.too_big(line, cells.len()));
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(_) => {
                    self.line_end();
                    break false;
                }
                None => break true,
            }
        };
        Ok(Record { line, cells, last_without_end })
    }

    /// A value without quotes, up to the next comma or line end.
    fn plain(&mut self) -> String {
        let rest = &self.text[self.at..];
        let end = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
        let value = &rest[..end];
        if let Some(quote) = value.find('"') {
            let place = self.place(self.at + quote);
            self.problems.add(
                &place,
                "a quote inside a value without quotes",
                "put the value in quotes and write its own quotes twice",
            );
        }
        self.at += end;
        value.to_owned()
    }

    /// A value in quotes; it may hold commas, line ends and doubled quotes.
    fn quoted(&mut self) -> Result<String, Stop> {
        let (opened, opened_at) = (self.place(self.at), self.at);
        let mut value = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(quote) = rest.find('"').filter(|quote| self.at + quote - opened_at <= MAX_LINE) else {
                let rule = if rest.len() > MAX_LINE {
                    "a quote is opened and not closed within 1 MiB"
                } else {
                    "a quote is opened and never closed"
                };
                self.problems.add(&opened, rule, "close it, or write a quote that belongs to the value twice; if the file is cut off, export it again");
                return Err(Stop);
            };
            self.count_lines(&rest[..quote]);
            value.push_str(&rest[..quote]);
            self.at += quote + 1;
            match self.peek() {
                Some(b'"') => {
                    value.push('"');
                    self.at += 1;
                }
                None | Some(b',' | b'\n' | b'\r') => return Ok(value),
                Some(_) => {
                    let place = self.place(self.at);
                    let rule = format!("text follows the closing quote of the value that begins at {opened}");
                    self.problems.add(&place, &rule, "write a quote that belongs to the value twice, or close the value that is still open");
                    return Err(Stop);
                }
            }
        }
    }

    fn count_lines(&mut self, value: &str) {
        for (offset, _) in value.match_indices('\n') {
            self.line += 1;
            self.line_start = self.at + offset + 1;
        }
    }

    fn line_end(&mut self) {
        let rest = &self.text[self.at..];
        self.at += if rest.starts_with("\r\n") { 2 } else { 1 };
        self.line += 1;
        self.line_start = self.at;
    }

    fn too_big(&mut self, line: usize, columns: usize) -> Stop {
        let place = format!("{}:{line}", self.file);
        if columns > MAX_COLUMNS {
            let rule = format!("the row has more than {MAX_COLUMNS} columns");
            self.problems.add(&place, &rule, "leave out the columns that are not attributes");
        } else {
            self.problems.add(
                &place,
                "the row is longer than 1 MiB",
                "check that every row ends with a line end",
            );
        }
        Stop
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// file:line:column of a position in the current line, in characters from 1.
    fn place(&self, at: usize) -> String {
        let column = self.text[self.line_start..at].chars().count() + 1;
        format!("{}:{}:{column}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<(usize, Vec<String>)> {
        let mut problems = Problems::default();
        let records = parse("f.csv", text, &mut problems);
        problems.check().unwrap();
        records.into_iter().map(|record| (record.line, record.cells)).collect()
    }

    fn problem(text: &str) -> String {
        let mut problems = Problems::default();
        parse("f.csv", text, &mut problems);
        problems.check().unwrap_err().to_string()
    }

    #[test]
    fn quotes_line_ends_and_empty_lines() {
        let read = cells("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n\n,\r\nlast,\"\"");
        let expected = [
            (1, vec!["a", "b"]),
            (2, vec!["x, \"y\"", "two\nlines"]),
            (5, vec!["", ""]),
            (6, vec!["last", ""]),
        ];
        assert_eq!(read, expected.map(|(line, row)| (line, row.into_iter().map(str::to_owned).collect())));
        let mut problems = Problems::default();
        let ends: Vec<bool> =
            parse("f", "a\nb", &mut problems).iter().map(|record| record.last_without_end).collect();
        assert_eq!(ends, [false, true]);
    }

    #[test]
    fn what_is_uncertain_is_a_problem_with_its_place() {
        assert!(problem("a,b\n1,\"open\n2,3\n").contains("f.csv:2:3: a quote is opened and never closed"));
        assert!(
            problem("a\n\"é\"x\n")
                .contains("f.csv:2:4: text follows the closing quote of the value that begins at f.csv:2:1")
        );
        assert!(problem("a,b\n5\" pipe,x\n").contains("f.csv:2:2: a quote inside a value without quotes"));
        assert!(
            problem(&format!("a\n{}\n", "x".repeat(MAX_LINE + 1)))
                .contains("f.csv:2: the row is longer than 1 MiB")
        );
        assert!(
            problem(&format!("a\n\"{}\"\n", "x".repeat(MAX_LINE + 9))).contains("not closed within 1 MiB")
        );
        assert!(problem(&",".repeat(MAX_COLUMNS)).contains("more than 200 columns"));
    }
}
