//! Errors for people and for programs, and what the exit code says.

use std::path::Path;

use engine::EngineError;
use serde_json::json;
use store::StoreError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything is done.
    Done,
    /// It did not work.
    Failed,
    /// Something waits for a time; it goes on by itself.
    Waits,
    /// Something needs a person.
    NeedsPerson,
    /// Another process is at it.
    Busy,
}

impl Exit {
    /// The exit code. 2 is a wrong command line, which is reported by the parser.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Waits => 3,
            Exit::NeedsPerson => 4,
            Exit::Busy => 5,
        }
    }
}

/// What is printed to stderr when a command fails.
#[derive(Debug)]
pub(crate) struct CliError {
    code: String,
    what: String,
    why: Option<String>,
    next: Option<String>,
    exit: Exit,
}

impl CliError {
    /// An error with its stable code and one sentence.
    pub(crate) fn new(code: &str, what: impl Into<String>) -> Self {
        Self { code: code.into(), what: what.into(), why: None, next: None, exit: Exit::Failed }
    }

    /// Adds what shows it.
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into()).filter(|why| !why.is_empty());
        self
    }

    /// Adds a further line to what shows it.
    pub(crate) fn why_more(mut self, why: &str) -> Self {
        self.why = Some(self.why.map_or_else(|| why.to_owned(), |before| format!("{before}\n{why}")));
        self
    }

    /// Adds what to do next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into()).filter(|next| !next.is_empty());
        self
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(code: &str, path: &Path, error: &std::io::Error) -> Self {
        let verb = if code == "cannot-write" { "written" } else { "read" };
        Self::new(code, format!("{} cannot be {verb}", path.display()))
            .why(error.to_string())
            .next("check the path and its permissions")
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it: three lines for people, one JSON object for programs.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            let error = json!({"code": self.code, "what": self.what, "why": self.why, "next": self.next});
            eprintln!("{}", json!({"error": error}));
            return;
        }
        eprintln!("error[{}]: {}", self.code, self.what);
        if let Some(why) = &self.why {
            eprintln!("  why: {}", why.replace('\n', "\n       "));
        }
        if let Some(next) = &self.next {
            eprintln!("  next: {next}");
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        let exit = match &error {
            EngineError::Busy(_) | EngineError::Store(StoreError::Busy { .. }) => Exit::Busy,
            EngineError::Held(_) => Exit::NeedsPerson,
            _ => Exit::Failed,
        };
        if let EngineError::NotFound { kind, name, next } = error {
            return CliError::new("not_found", format!("there is no {kind} '{name}'")).next(next);
        }
        let mut report = split(error.code(), &error.to_string());
        report.exit = exit;
        report
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        EngineError::Store(error).into()
    }
}

/// Texts of lower layers read `what (why); next` on one line, or a heading with one problem a line.
fn split(code: &str, text: &str) -> CliError {
    if let Some((what, problems)) = text.split_once('\n') {
        let problems: Vec<&str> = problems.lines().map(str::trim).collect();
        return CliError::new(code, what.trim_end_matches(':'))
            .why(problems.join("\n"))
            .next("mend what is named and run the command again; nothing was changed");
    }
    // The last semicolon or colon-phrase that gives an instruction separates the next step.
    match text.rsplit_once("; ") {
        Some((what, next)) => CliError::new(code, what).next(next),
        None => CliError::new(code, text)
            .next("mend what is named and run the command again; lockstep COMMAND --help shows an example"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_split_off() {
        let error = CliError::from(EngineError::Invalid("the name is empty; give one".into()));
        assert_eq!((error.what.as_str(), error.next.as_deref()), ("the name is empty", Some("give one")));
        let error = CliError::from(EngineError::Invalid("2 problems:\n  a:1: x\n  a:2: y".into()));
        assert_eq!(error.why.as_deref(), Some("a:1: x\na:2: y"));
        let error = CliError::from(StoreError::Busy { detail: "locked".into() });
        assert_eq!(error.exit(), Exit::Busy);
    }
}
