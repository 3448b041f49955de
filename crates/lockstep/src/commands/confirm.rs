//! A yes before what is hard to take back: `--yes`, or an answer where somebody can be asked.

use crate::environment;
use crate::error_report::CliError;
use crate::output::note;
use crate::session::Session;

/// What somebody has to agree to.
pub(crate) struct Question<'a> {
    /// What is not done without a yes, as the beginning of an error: `'ada' is not deleted`.
    pub(crate) undone: String,
    /// What speaks against it.
    pub(crate) why: String,
    /// The same command with its yes.
    pub(crate) command: &'a str,
}

/// Whether to go on. Where nobody can be asked, the error says why and how to agree.
pub(crate) fn agreed(session: &Session, question: &Question<'_>) -> Result<bool, CliError> {
    if session.output.is_json() || !environment::can_ask() {
        return Err(CliError::new("not_confirmed", question.undone.clone())
            .why(question.why.clone())
            .next(question.command));
    }
    note(&format!("warning: {}", question.why));
    let yes = confirmed("Go on? [y/N] ");
    if !yes {
        note("nothing was changed");
    }
    Ok(yes)
}

/// Asks on the terminal.
pub(crate) fn confirmed(question: &str) -> bool {
    eprint!("{question}");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
