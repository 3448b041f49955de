//! Turns: so much long work at the same time, less of it for one tenant than for all, and the next turn goes to another tenant
//! where one waits.
//!
//! A tenant that asks for much waits for itself: others find a turn that it may not have. Memory follows from it too: what is
//! read at once is what has a turn.

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
    /// Turns that one tenant has at most.
    each: usize,
    /// Who waits and who has turns, by tenant; nobody is here for nothing.
    tenants: BTreeMap<String, Tenant>,
    /// Who had the last turn of those who waited.
    last: String,
}

#[derive(Default)]
struct Tenant {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn; over when it is dropped.
pub struct Turn {
    of: Option<(Turns, String)>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, tenant)) = self.of.take() {
            turns.end(&tenant);
        }
    }
}

impl Turns {
    /// So many at the same time, and so many of one tenant.
    pub fn new(at_once: usize, each: usize) -> Turns {
        let state = State { free: at_once, each, tenants: BTreeMap::new(), last: String::new() };
        Turns { state: Arc::new(Mutex::new(state)) }
    }

    /// As many of one tenant as there are processors, two at least; twice as many of all.
    pub fn for_processors() -> Turns {
        let each = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
        Turns::new(2 * each, each)
    }

    /// Waits for a turn of this tenant. Who waits longest is next among its own, and the tenants take turns.
    pub async fn take(&self, tenant: &str) -> Turn {
        let turn = {
            let mut state = self.lock();
            let (free, each) = (state.free, state.each);
            let mine = state.tenants.entry(tenant.to_owned()).or_default();
            if free > 0 && mine.running < each {
                mine.running += 1;
                state.free -= 1;
                return self.turn(tenant.to_owned());
            }
            let (give, turn) = oneshot::channel();
            mine.waiting.push_back(give);
            turn
        };
        // The giving end is kept until a turn was given.
        turn.await.unwrap_or(Turn { of: None })
    }

    fn turn(&self, tenant: String) -> Turn {
        Turn { of: Some((self.clone(), tenant)) }
    }

    fn end(&self, tenant: &str) {
        self.lock().give_back(tenant);
        while let Some((next, tenant)) = self.next() {
            // Nobody may wait there any more: then the turn is over before it began, outside of the lock.
            if let Err(mut turn) = next.send(self.turn(tenant.clone())) {
                turn.of = None;
                self.lock().give_back(&tenant);
            }
        }
    }

    /// Takes the next who may have a turn out of the queue.
    fn next(&self) -> Option<(oneshot::Sender<Turn>, String)> {
        let state = &mut *self.lock();
        if state.free == 0 {
            return None;
        }
        let may =
            |(_, tenant): &(&String, &Tenant)| tenant.running < state.each && !tenant.waiting.is_empty();
        let after = (Bound::Excluded(state.last.as_str()), Bound::Unbounded);
        let next = state.tenants.range::<str, _>(after).find(may).or_else(|| state.tenants.iter().find(may));
        let name = next.map(|(name, _)| name.clone())?;
        let tenant = state.tenants.get_mut(&name)?;
        let next = tenant.waiting.pop_front()?;
        tenant.running += 1;
        state.free -= 1;
        state.last.clone_from(&name);
        Some((next, name))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self, name: &str) {
        self.free += 1;
        if let Some(tenant) = self.tenants.get_mut(name) {
            tenant.running -= 1;
            if tenant.running == 0 && tenant.waiting.is_empty() {
                self.tenants.remove(name);
            }
        }
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
        let turns = Turns::new(1, 1);
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
    fn a_tenant_leaves_turns_to_others() {
        let turns = Turns::new(3, 2);
        let mine = [poll(pin!(turns.take("a"))), poll(pin!(turns.take("a")))];
        assert!(mine.iter().all(Poll::is_ready));
        let mut third = pin!(turns.take("a"));
        assert!(poll(third.as_mut()).is_pending(), "one is free, and not for a");
        let other = poll(pin!(turns.take("b")));
        assert!(other.is_ready());
        drop(other);
        assert!(poll(third.as_mut()).is_pending());
        drop(mine);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[test]
    fn who_went_away_gets_no_turn() {
        let turns = Turns::new(1, 1);
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
