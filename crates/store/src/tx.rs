//! One transaction as its closure sees it: the same methods on SQLite and PostgreSQL.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::dialect::{day_added, day_dropped};
use crate::faults::{Fault, Faults};
use crate::postgres::Pipeline;
use crate::sqlite;
use crate::{Row, Statement, StoreError, TxError, Value};

/// A running transaction.
///
/// A statement that the database refuses fails the whole transaction, on both databases: later statements return the
/// same error, and the changes are rolled back even if the closure returns `Ok`. Expected conflicts use `ON CONFLICT`.
pub struct Tx<'a> {
    link: Link<'a>,
    access: Access,
    faults: Option<&'a Faults>,
    failed: Option<Failure>,
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// A write whose rules are held by constraints and conditional updates alone.
    Change,
}

/// The database that a transaction runs in.
pub(crate) enum Link<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(Pipeline<'a>),
}

/// A failed statement or commit, and whether the whole transaction may be repeated because of it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: StoreError,
    pub(crate) repeat: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure { error, repeat: false }
    }
}

impl<'a> Tx<'a> {
    /// Runs a statement; the number of rows it changed.
    pub fn exec(&mut self, statement: &'static Statement, params: &[Value]) -> Result<u64, StoreError> {
        self.admit(statement, params)?;
        let done = match &mut self.link {
            Link::Sqlite(connection) => {
                sqlite::exec(connection, self.access, statement, params).map_err(Failure::from)
            }
            Link::Postgres(pipeline) => pipeline.exec(statement, params),
        };
        self.note(done)
    }

    /// Runs a statement once for each list of parameters, without waiting in between; the rows changed in all.
    pub fn exec_many(
        &mut self,
        statement: &'static Statement,
        many: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        for params in many {
            self.admit(statement, params)?;
        }
        let done = match &mut self.link {
            Link::Sqlite(connection) => {
                let many = many.iter().map(Vec::as_slice);
                sqlite::exec_many(connection, self.access, statement, many).map_err(Failure::from)
            }
            Link::Postgres(pipeline) => pipeline.exec_many(statement, many),
        };
        self.note(done)
    }

    /// Runs a statement whose row count is not needed. It takes effect in order, but may be sent together with the
    /// next statement or the commit (one round trip less), so its failure may be reported there.
    pub fn later(&mut self, statement: &'static Statement, params: &[Value]) -> Result<(), StoreError> {
        self.admit(statement, params)?;
        let done = match &mut self.link {
            Link::Sqlite(connection) => {
                sqlite::exec(connection, self.access, statement, params).map(drop).map_err(Failure::from)
            }
            Link::Postgres(pipeline) => pipeline.later(statement, params),
        };
        self.note(done)
    }

    /// Runs a statement and reads each row with `read`. An error of `read` is returned and fails nothing else.
    pub fn rows<T>(
        &mut self,
        statement: &'static Statement,
        params: &[Value],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.admit(statement, params)?;
        let done = match &mut self.link {
            Link::Sqlite(connection) => {
                sqlite::rows(connection, self.access, statement, params, &mut read).map_err(Failure::from)
            }
            Link::Postgres(pipeline) => pipeline.rows(statement, params, &mut read),
        };
        self.note(done)?
    }

    /// The only row, or none. More than one is [`StoreError::Row`].
    pub fn optional<T>(
        &mut self,
        statement: &'static Statement,
        params: &[Value],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut rows = self.rows(statement, params, read)?;
        if rows.len() > 1 {
            let detail = format!("at most one row was expected, {} came", rows.len());
            return Err(StoreError::Row { statement: statement.name, detail });
        }
        Ok(rows.pop())
    }

    /// The only row. None, or more than one, is [`StoreError::Row`].
    pub fn one<T>(
        &mut self,
        statement: &'static Statement,
        params: &[Value],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.optional(statement, params, read)?.ok_or_else(|| StoreError::Row {
            statement: statement.name,
            detail: "one row was expected, none came".to_owned(),
        })
    }

    /// Makes the part of a table `{BY DAY}` that holds this day, where the database has parts.
    pub(crate) fn add_day(&mut self, table: &'static str, day: i64) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(_) => Ok(()),
            Link::Postgres(pipeline) => {
                let done = pipeline.define(table, &day_added(table, day));
                self.note(done)
            }
        }
    }

    /// Drops the part of a table `{BY DAY}` that holds this day; false where the database has no parts.
    pub(crate) fn drop_day(&mut self, table: &'static str, day: i64) -> Result<bool, StoreError> {
        match &mut self.link {
            Link::Sqlite(_) => Ok(false),
            Link::Postgres(pipeline) => {
                let done = pipeline.define(table, &day_dropped(table, day));
                self.note(done).map(|()| true)
            }
        }
    }

    /// What this transaction read is no longer so: it is repeated from its beginning.
    pub fn out_of_date(&mut self, what: &str) -> StoreError {
        let error = StoreError::Busy { detail: format!("{what} changed meanwhile") };
        self.failed.get_or_insert(Failure { error: error.clone(), repeat: true });
        error
    }

    /// Compiles a statement without running it: whether this database accepts it.
    pub fn prepare(&mut self, statement: &'static Statement) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(connection) => sqlite::prepare(connection, statement),
            Link::Postgres(pipeline) => {
                pipeline.prepare(statement).map(drop).map_err(|failure| failure.error)
            }
        }
    }

    pub(crate) fn new(link: Link<'a>, access: Access, faults: Option<&'a Faults>) -> Tx<'a> {
        Tx { link, access, faults, failed: None }
    }

    /// Runs the closure once. A panic becomes an error, and so does an `Ok` after a failed statement.
    pub(crate) fn run<T, E: TxError>(
        &mut self,
        body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // The closure is repeatable and its changes are rolled back, so nothing half done is seen after a panic.
        match catch_unwind(AssertUnwindSafe(|| body(self))) {
            Ok(answer) => match &self.failed {
                Some(failure) if answer.is_ok() => Err(failure.error.clone().into()),
                _ => answer,
            },
            Err(panic) => {
                self.failed = None;
                Err(StoreError::JobPanicked { message: panic_message(panic.as_ref()) }.into())
            }
        }
    }

    /// Whether the closure's failure came from a statement after which the transaction should be repeated.
    pub(crate) fn wants_repeat(&self) -> bool {
        self.failed.as_ref().is_some_and(|failure| failure.repeat)
    }

    /// Commits what a PostgreSQL transaction did. (A SQLite commit is shared by many jobs: see the writer.)
    pub(crate) fn commit_postgres(mut self) -> Result<(), Failure> {
        if let Some(fault) = self.faults.and_then(Faults::at_commit) {
            return Err(fault.error().into());
        }
        match &mut self.link {
            Link::Postgres(pipeline) => pipeline.commit(),
            Link::Sqlite(_) => Ok(()),
        }
    }

    /// What must hold before a statement runs: nothing failed before, the transaction is open, its texts can be stored.
    fn admit(&mut self, statement: &'static Statement, params: &[Value]) -> Result<(), StoreError> {
        if let Some(failure) = &self.failed {
            return Err(failure.error.clone());
        }
        // SQLite would store a NUL character, PostgreSQL cannot.
        let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.as_bytes().contains(&0));
        if params.iter().any(has_nul) {
            return self.note(Err(StoreError::Check { rule: "text without NUL".to_owned() }.into()));
        }
        if let Some(faults) = self.faults {
            let texts = params.iter().filter_map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            });
            if let Some(fault) = faults.at_statement(texts) {
                return self.inject(fault);
            }
        }
        // SQLite may roll everything back by itself; a further statement would then commit on its own.
        if let Link::Sqlite(connection) = self.link
            && connection.is_autocommit()
        {
            let detail = format!("{}: the transaction is no longer open", statement.name);
            return self.note(Err(StoreError::Io { detail }.into()));
        }
        Ok(())
    }

    fn inject(&mut self, fault: Fault) -> Result<(), StoreError> {
        if let Link::Sqlite(connection) = self.link
            && fault.rolls_back()
        {
            sqlite::rollback(connection);
        }
        assert!(fault != Fault::Panic, "injected panic");
        self.note(Err(fault.error().into()))
    }

    fn note<T>(&mut self, done: Result<T, Failure>) -> Result<T, StoreError> {
        done.map_err(|failure| {
            let error = failure.error.clone();
            self.failed.get_or_insert(failure);
            error
        })
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "no message".to_owned(),
    }
}
