//! One PostgreSQL transaction, in as few round trips as its closure allows.
//!
//! Messages are sent in the order in which futures are first polled, and answered in that order. So the BEGIN travels
//! with the first statement, and deferred statements with the next one or with the COMMIT.

use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::task::Poll;

use deadpool_postgres::Client;
use futures::{FutureExt, poll};
use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Statement as Prepared};

use crate::dialect::{from_postgres, is_connection_loss, is_repeatable};
use crate::row::Columns;
use crate::tx::{Access, Failure};
use crate::{Row, Statement, StoreError, Value};

/// Deferred statements are sent at the latest when this many wait.
const DEFERRED_MAX: usize = 512;

/// A connection with a transaction that begins with its first statement and is rolled back when dropped.
pub(crate) struct Pipeline<'a> {
    client: &'a Client,
    handle: &'a Handle,
    access: Access,
    open: bool,
    deferred: Vec<Deferred>,
}

struct Deferred {
    name: &'static str,
    prepared: Prepared,
    params: Vec<Value>,
}

/// The rows changed by each deferred statement, in order, and what the last message returned.
type Answers<T> = (Vec<u64>, T);

impl<'a> Pipeline<'a> {
    pub(crate) fn new(client: &'a Client, handle: &'a Handle, access: Access) -> Pipeline<'a> {
        Pipeline { client, handle, access, open: false, deferred: Vec::new() }
    }

    pub(crate) fn prepare(&mut self, statement: &'static Statement) -> Result<Prepared, Failure> {
        let prepared = self.handle.block_on(self.client.prepare_cached(statement.sql));
        prepared.map_err(|error| failure(statement.name, &error))
    }

    pub(crate) fn exec(&mut self, statement: &'static Statement, params: &[Value]) -> Result<u64, Failure> {
        let prepared = self.prepare(statement)?;
        let client = self.client;
        let (_, changed) = self.send(statement.name, client.execute_raw(&prepared, params))?;
        Ok(changed)
    }

    pub(crate) fn exec_many(
        &mut self,
        statement: &'static Statement,
        many: &[Vec<Value>],
    ) -> Result<u64, Failure> {
        let prepared = self.prepare(statement)?;
        let mut changed = 0;
        for chunk in many.chunks(DEFERRED_MAX) {
            let earlier = self.deferred.len();
            self.deferred.extend(chunk.iter().map(|params| Deferred {
                name: statement.name,
                prepared: prepared.clone(),
                params: params.clone(),
            }));
            let (each, ()) = self.send(statement.name, ready(Ok(())))?;
            changed += each[earlier..].iter().sum::<u64>();
        }
        Ok(changed)
    }

    pub(crate) fn later(&mut self, statement: &'static Statement, params: &[Value]) -> Result<(), Failure> {
        let prepared = self.prepare(statement)?;
        self.deferred.push(Deferred { name: statement.name, prepared, params: params.to_vec() });
        if self.deferred.len() >= DEFERRED_MAX {
            self.send(statement.name, ready(Ok(())))?;
        }
        Ok(())
    }

    /// The inner result is the reader's own.
    pub(crate) fn rows<T>(
        &mut self,
        statement: &'static Statement,
        params: &[Value],
        read: &mut dyn FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Result<Vec<T>, StoreError>, Failure> {
        let prepared = self.prepare(statement)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as _).collect();
        let client = self.client;
        let (_, rows) = self.send(statement.name, client.query(&prepared, &params))?;
        Ok(rows
            .iter()
            .map(|row| read(&Row { statement: statement.name, columns: Columns::Postgres(row) }))
            .collect())
    }

    /// Runs a text of the dialect's own: making and dropping parts of tables.
    pub(crate) fn define(&mut self, doing: &'static str, sql: &str) -> Result<(), Failure> {
        let client = self.client;
        self.send(doing, client.batch_execute(sql)).map(drop)
    }

    /// Commits, together with what is still deferred.
    pub(crate) fn commit(&mut self) -> Result<(), Failure> {
        if !self.open && self.deferred.is_empty() {
            return Ok(());
        }
        let client = self.client;
        let committed = self.send("commit", client.batch_execute("COMMIT"));
        match committed {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            Err(Failure { error: StoreError::Io { detail }, repeat: true }) => {
                // The connection was lost and the COMMIT may have arrived: repeating could write twice.
                let detail = format!("{detail}; it is unknown whether the last write happened");
                Err(StoreError::Io { detail }.into())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Sends BEGIN if none was sent, the deferred statements and the last message, then waits for all answers.
    fn send<T>(
        &mut self,
        name: &'static str,
        last: impl Future<Output = Result<T, Error>>,
    ) -> Result<Answers<T>, Failure> {
        let client = self.client;
        let deferred = std::mem::take(&mut self.deferred);
        let begin = match (self.open, self.access) {
            (true, _) => None,
            (false, Access::Read) => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            (false, Access::Write) => Some("BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"),
            (false, Access::Change) => Some("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
        };
        self.open = true;
        self.handle.block_on(async {
            let mut begun = pin!(async {
                match begin {
                    Some(begin) => client.batch_execute(begin).await,
                    None => Ok(()),
                }
            });
            let begin_early = settled("begin", poll!(begun.as_mut()))?;
            let mut sent = Vec::with_capacity(deferred.len());
            for statement in &deferred {
                let mut answer = Box::pin(client.execute_raw(&statement.prepared, &statement.params));
                // A parameter of the wrong type is refused before anything is sent: what follows, above all the
                // COMMIT, must not be sent either.
                let early = settled(statement.name, poll!(answer.as_mut()))?;
                sent.push((statement.name, early, answer));
            }
            let mut last = pin!(last);
            let last_early = poll!(last.as_mut());
            if begin_early.is_none() {
                settled("begin", Poll::Ready(begun.await))?;
            }
            let mut changed = Vec::with_capacity(sent.len());
            for (name, early, answer) in sent {
                changed.push(finish(name, early, answer).await?);
            }
            let last = match last_early {
                Poll::Ready(answer) => answer,
                Poll::Pending => last.await,
            };
            Ok((changed, last.map_err(|error| failure(name, &error))?))
        })
    }
}

impl Drop for Pipeline<'_> {
    fn drop(&mut self) {
        if self.open {
            // Polling once sends it; whoever uses the connection next is behind it.
            let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        }
    }
}

/// An answer that came at once, None while it is awaited, or the failure.
fn settled<T>(name: &'static str, answer: Poll<Result<T, Error>>) -> Result<Option<T>, Failure> {
    match answer {
        Poll::Ready(Ok(value)) => Ok(Some(value)),
        Poll::Ready(Err(error)) => Err(failure(name, &error)),
        Poll::Pending => Ok(None),
    }
}

async fn finish<T>(
    name: &'static str,
    early: Option<T>,
    answer: Pin<Box<impl Future<Output = Result<T, Error>>>>,
) -> Result<T, Failure> {
    match early {
        Some(value) => Ok(value),
        None => answer.await.map_err(|error| failure(name, &error)),
    }
}

fn failure(name: &'static str, error: &Error) -> Failure {
    let repeat = is_connection_loss(error) || error.code().is_some_and(is_repeatable);
    Failure { error: from_postgres(name, error), repeat }
}
