//! One round of a lane: spreads changes and runs what is due, side by side, until nothing is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::executor::{Finish, LaneSignal};
use domain::ids::Subject;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use store::repo::mark;

use super::perform::{Loaded, Shared, Undecided, load_users_of, run_subject};
use super::probe::probe;
use super::run::{Lane, Progress};
use super::spread::Spread;
use super::writes::serve;
use crate::error::EngineError;

/// How long groups wait for accounts at most.
const GROUP_TURN_MS: i64 = 20_000;
/// Subjects that are fetched at once.
const BATCH: i64 = 512;
/// Subjects that are read at once for the runs that begin next.
const AHEAD: usize = 32;
/// Runs at the same time at most. Requests at the same time are fewer: see [`Pace`](super::pace::Pace).
const RUNS: usize = 256;

type Ended = (Subject, Result<Finish, EngineError>);
type Begin = (Subject, Option<Loaded>);

/// The runs under way and those that come next.
pub(super) struct Round<'a> {
    lane: &'a mut Lane,
    progress: Progress<'a>,
    shared: Arc<Shared>,
    spread: Spread,
    /// What is due is asked for: while changes are spread, after each step and not after each run.
    ask: bool,
    /// Fetched, the next one last.
    queue: Vec<Subject>,
    /// What the next runs begin with is being read.
    reading: Option<BoxFuture<'static, Vec<Begin>>>,
    /// Read, the next one first.
    ready: VecDeque<Begin>,
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Whoever is read, ready or running.
    busy: BTreeSet<Subject>,
    any: bool,
    stop: LaneSignal,
    failure: Option<EngineError>,
}

impl<'a> Round<'a> {
    pub(super) fn new(lane: &'a mut Lane, progress: Progress<'a>) -> Self {
        let shared = lane.owned.shared.clone();
        shared.stopped.store(false, Ordering::Release);
        Self {
            lane,
            progress,
            spread: Spread::new(&shared.engine, &shared.tenant),
            shared,
            ask: true,
            queue: vec![],
            reading: None,
            ready: VecDeque::new(),
            running: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            any: false,
            stop: LaneSignal::Fine,
            failure: None,
        }
    }

    /// Runs until nothing is due any more or something stops it; false: nothing was due.
    pub(super) async fn run(mut self) -> Result<bool, EngineError> {
        let shared = self.shared.clone();
        let mut writes = std::pin::pin!(serve(&shared));
        loop {
            self.lane.owned.renew_if_due().await?;
            self.fetch().await?;
            self.begin();
            if let Some(Some(ended)) = self.running.next().now_or_never() {
                self.ended(ended);
                continue;
            }
            if self.may_begin() {
                // Who has decided makes room for others.
                continue;
            }
            let open = self.is_open();
            if self.running.is_empty() && !(open && (self.reading.is_some() || self.spread.is_going())) {
                break;
            }
            tokio::select! {
                biased;
                Some(ended) = self.running.next(), if !self.running.is_empty() => self.ended(ended),
                never = &mut writes => match never {},
                read = wait_for(&mut self.reading), if self.reading.is_some() => {
                    self.reading = None;
                    self.ready.extend(read);
                }
                step = self.spread.step(), if self.spread.is_going() => {
                    self.ask = true;
                    if let Err(error) = step {
                        self.fail(error);
                    }
                }
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
            }
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.stopped().await.map(|again| again || self.any),
        }
    }

    fn is_open(&self) -> bool {
        self.stop == LaneSignal::Fine && self.failure.is_none()
    }

    /// What is under way ends as it should, with its outcome recorded.
    fn fail(&mut self, error: EngineError) {
        self.shared.stopped.store(true, Ordering::Release);
        self.failure.get_or_insert(error);
    }

    /// Asks for what is due, and has what the next runs begin with read while others run.
    async fn fetch(&mut self) -> Result<(), EngineError> {
        self.ask |= !self.spread.is_going() || self.running.is_empty();
        if !self.is_open() || self.reading.is_some() || self.ready.len() >= AHEAD {
            return Ok(());
        }
        if self.ask && self.queue.is_empty() && self.running.len() < RUNS {
            self.queue = self.due().await?;
            self.queue.reverse();
            self.ask = !self.queue.is_empty();
        }
        let next = self.queue.split_off(self.queue.len().saturating_sub(AHEAD));
        if next.is_empty() {
            return Ok(());
        }
        let next: Vec<Subject> = next.into_iter().rev().collect();
        self.busy.extend(next.iter().cloned());
        let shared = self.shared.clone();
        self.reading = Some(
            async move {
                // If one of them cannot be read, each reads for itself and tells.
                let mut read = load_users_of(&shared, next.clone()).await.unwrap_or_default();
                next.into_iter().map(|subject| (subject.clone(), read.remove(&subject))).collect()
            }
            .boxed(),
        );
        Ok(())
    }

    fn may_begin(&self) -> bool {
        self.is_open() && !self.ready.is_empty() && self.has_room() && !self.is_paused()
    }

    /// The app asked for a pause that is not over.
    fn is_paused(&self) -> bool {
        self.shared.pace.pause_left(self.shared.engine.env.monotonic_ms()) > 0
    }

    fn begin(&mut self) {
        while self.may_begin() {
            let Some((subject, loaded)) = self.ready.pop_front() else { break };
            let first = (Some(Undecided::new(&self.shared)), loaded);
            let shared = self.shared.clone();
            self.running.push(
                async move {
                    let result = run_subject(&shared, &subject, None, first).await;
                    (subject, result)
                }
                .boxed(),
            );
        }
    }

    /// What follows from the end of a run.
    fn ended(&mut self, (subject, result): Ended) {
        self.busy.remove(&subject);
        self.any = true;
        let finish = match result {
            Ok(finish) => finish,
            Err(error) => return self.fail(error),
        };
        self.count(&finish);
        let left = self.queue.len() + self.busy.len();
        (self.progress)(self.lane.report.subjects, u64::try_from(left).unwrap_or(0));
        match finish.lane {
            LaneSignal::Fine => {}
            LaneSignal::Throttled(_) => self.queue.clear(),
            signal => {
                self.shared.stopped.store(true, Ordering::Release);
                self.stop = signal;
            }
        }
    }

    /// What follows from the signal that stopped the runs; true: there is reason to look again.
    async fn stopped(&mut self) -> Result<bool, EngineError> {
        match self.stop {
            LaneSignal::Suspect => {
                probe(&self.shared).await?;
                Ok(true)
            }
            LaneSignal::Fenced => Err(EngineError::Busy("another process took the app's lane over".into())),
            _ => Ok(false),
        }
    }

    /// Whether one more run may begin: only so many wait for their turn that an urgent one is not kept waiting by them.
    fn has_room(&self) -> bool {
        let (shared, pace) = (&self.shared, &self.shared.pace);
        let crowd = shared.undecided.load(Ordering::Relaxed) + pace.waiting();
        self.running.len() < RUNS && crowd < (pace.width() / 2).max(4)
    }

    /// What is due, most urgent first. Groups wait while accounts are under way, so that memberships go out together and
    /// not one by one; but never longer than their turn.
    async fn due(&mut self) -> Result<Vec<Subject>, EngineError> {
        let shared = self.shared.clone();
        if !self.lane.is_active().await? || self.is_paused() {
            return Ok(vec![]);
        }
        let (tenant, app, now_ms) = (shared.tenant.clone(), shared.app.clone(), shared.engine.env.now_ms());
        let due = shared.engine.read(move |tx| Ok(mark::ready(tx, &tenant, &app, now_ms, BATCH)?)).await?;
        let is_user = |subject: &Subject| matches!(subject, Subject::User(_));
        let mut due: Vec<Subject> = due.into_iter().filter(|subject| !self.busy.contains(subject)).collect();
        let monotonic_ms = shared.engine.env.monotonic_ms();
        let accounts = self.spread.is_going() || due.iter().chain(&self.busy).any(is_user);
        if accounts && monotonic_ms - self.lane.groups_ms < GROUP_TURN_MS {
            due.retain(is_user);
        } else {
            self.lane.groups_ms = monotonic_ms;
        }
        Ok(due)
    }

    fn count(&mut self, finish: &Finish) {
        self.lane.report.subjects += 1;
        for name in &finish.applied {
            *self.lane.report.applied.entry((*name).to_owned()).or_default() += 1;
        }
    }
}

/// Waits for what is read; for ever if nothing is.
async fn wait_for(reading: &mut Option<BoxFuture<'static, Vec<Begin>>>) -> Vec<Begin> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
