//! What one evaluation may write: every function that makes text counts it here, so that nothing grows without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, Value as JinjaValue};
use minijinja::{Error, State};
use serde_json::Value;

use super::refusal;

/// Bytes of text that the functions of one evaluation may read and write together.
pub const TEXT_BUDGET: usize = 256 * 1024;
/// The name under which functions find the evaluation they run in; expressions cannot name it.
pub(super) const RUN: &str = "__run";

/// One evaluation.
#[derive(Debug, Default)]
pub(super) struct Run {
    used: AtomicUsize,
    documents: Value,
}

impl Object for Run {}

impl Run {
    /// Keeps the documents, for functions that read by SCIM path.
    pub(super) fn with(context: &Value) -> Self {
        Self { used: AtomicUsize::new(0), documents: context.clone() }
    }

    /// The document of that name in the context: `user` or `manager`.
    pub(super) fn document(&self, name: &str) -> &Value {
        self.documents.get(name).unwrap_or(&Value::Null)
    }
}

/// The evaluation that a function runs in.
pub(super) fn run(state: &State<'_, '_>) -> Result<Arc<Run>, Error> {
    let found = state.lookup(RUN).and_then(|value: JinjaValue| value.downcast_object::<Run>());
    found.ok_or_else(|| refusal("the expression is not evaluated by a mapping"))
}

/// Counts bytes before they are read or written.
pub(super) fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let run = run(state)?;
    let used = run.used.load(Ordering::Relaxed).saturating_add(bytes);
    run.used.store(used, Ordering::Relaxed);
    if used > TEXT_BUDGET {
        return Err(refusal(format!(
            "it works on more than {TEXT_BUDGET} bytes of text; at most that is allowed"
        )));
    }
    Ok(())
}
