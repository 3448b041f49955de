//! Turns: so much long work at the same time, and the next turn goes to another tenant where one waits.
//!
//! A tenant that asks for much waits for itself. Memory follows from it too: what is read at once is what has a turn.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Gives turns; clones share them.
#[derive(Clone)]
pub struct Turns {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    /// Who waits, by tenant; no list is empty.
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<Turn>>>,
    /// Who had the last turn of those who waited.
    last: String,
}

/// A turn; over when it is dropped.
pub struct Turn {
    of: Option<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.of.take() {
            turns.pass_on();
        }
    }
}

impl Turns {
    /// So many at the same time.
    pub fn new(at_once: usize) -> Turns {
        let state = State { free: at_once, waiting: BTreeMap::new(), last: String::new() };
        Turns { state: Arc::new(Mutex::new(state)) }
    }

    /// As many at the same time as there are processors, two at least.
    pub fn for_processors() -> Turns {
        Turns::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2))
    }

    /// Waits for a turn of this tenant. Who waits longest is next among its own, and the tenants take turns.
    pub async fn take(&self, tenant: &str) -> Turn {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Turn { of: Some(self.clone()) };
            }
            let (give, turn) = oneshot::channel();
            state.waiting.entry(tenant.to_owned()).or_default().push_back(give);
            turn
        };
        // The giving end is kept until a turn was given.
        turn.await.unwrap_or(Turn { of: None })
    }

    fn pass_on(self) {
        let mut turn = Turn { of: Some(self.clone()) };
        loop {
            let Some(next) = self.next() else {
                turn.of = None;
                return;
            };
            match next.send(turn) {
                Ok(()) => return,
                // Nobody waits there any more.
                Err(back) => turn = back,
            }
        }
    }

    /// Takes the next who waits out of the queue; where nobody does, the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let state = &mut *self.lock();
        let after = (Bound::Excluded(state.last.as_str()), Bound::Unbounded);
        let tenant = state.waiting.range::<str, _>(after).next().or_else(|| state.waiting.iter().next());
        let Some(tenant) = tenant.map(|(tenant, _)| tenant.clone()) else {
            state.free += 1;
            return None;
        };
        let queue = state.waiting.get_mut(&tenant)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            state.waiting.remove(&tenant);
        }
        state.last = tenant;
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_next_turn_goes_to_another_tenant() {
        let turns = Turns::new(1);
        let Poll::Ready(first) = poll(pin!(turns.take("a"))) else { panic!("one is free") };
        let (mut second, mut third) = (pin!(turns.take("a")), pin!(turns.take("a")));
        let mut other = pin!(turns.take("b"));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert!(poll(other.as_mut()).is_pending());
        drop(first);
        let Poll::Ready(given) = poll(second.as_mut()) else { panic!("a waited longest") };
        assert!(poll(other.as_mut()).is_pending());
        drop(given);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(given) = poll(other.as_mut()) else { panic!("b comes before a's third") };
        drop(given);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[test]
    fn who_went_away_gets_no_turn() {
        let turns = Turns::new(1);
        let Poll::Ready(first) = poll(pin!(turns.take("a"))) else { panic!("one is free") };
        {
            let mut gone = pin!(turns.take("a"));
            assert!(poll(gone.as_mut()).is_pending());
        }
        let mut given_away = Box::pin(turns.take("b"));
        assert!(poll(given_away.as_mut()).is_pending());
        drop(first);
        // The turn was on its way to b, who leaves without it.
        drop(given_away);
        assert!(poll(pin!(turns.take("c"))).is_ready());
    }
}
