//! Principals that were read before: a request asks the database only what may have changed about its token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::connection::{ConnectionSettings, Principal};
use domain::ids::TokenId;
use domain::token::Presented;
use store::repo::token::{self, Standing};
use store::{Reading, Tx};

use crate::context::Engine;
use crate::error::EngineError;
use crate::tokens::authenticate_in;

/// Tokens that are remembered; beyond it all are forgotten, and read once more.
const KNOWN_MAX: usize = 10_000;

/// Whom a token stands for.
#[derive(Debug)]
pub struct Known {
    /// The principal.
    pub principal: Principal,
    /// The connection's policies; defaults for a token without one.
    pub settings: Arc<ConnectionSettings>,
    /// What the database said when it was read.
    standing: Standing,
}

/// The cache. That a token was revoked or has expired, and that its connection was changed or removed, is looked up with every
/// request, whoever did it: only what follows from that is kept.
#[derive(Default)]
pub struct TokenCache {
    known: Mutex<BTreeMap<TokenId, Arc<Known>>>,
}

impl TokenCache {
    /// Whom a presented token stands for, with the name of its tenant; none if it is not valid, whatever the reason.
    pub async fn authenticate(
        self: &Arc<Self>,
        engine: &Engine,
        reading: &mut Reading,
        presented: &str,
    ) -> Result<Option<(Arc<Known>, String)>, EngineError> {
        let Some(presented) = Presented::parse(presented) else { return Ok(None) };
        let now_ms = engine.env.now_ms();
        let cache = self.clone();
        reading.read(move |tx| cache.authenticate_in(tx, &presented, now_ms)).await
    }

    fn authenticate_in(
        &self,
        tx: &mut Tx<'_>,
        presented: &Presented,
        now_ms: i64,
    ) -> Result<Option<(Arc<Known>, String)>, EngineError> {
        let Some((standing, tenant)) = token::standing(tx, &presented.id)? else {
            // An unknown id takes the same comparison as a wrong secret.
            presented.matches(None);
            return Ok(None);
        };
        if !presented.matches(Some(&standing.digest)) || !standing.holds(now_ms) {
            return Ok(None);
        }
        let before = self.lock().get(&presented.id).filter(|known| known.standing == standing).cloned();
        if let Some(known) = before {
            return Ok(Some((known, tenant)));
        }
        let Some(principal) = authenticate_in(tx, presented, now_ms)? else { return Ok(None) };
        let settings = principal.connection.as_ref().map(|connection| connection.settings.clone());
        let known = Known { principal, settings: Arc::new(settings.unwrap_or_default()), standing };
        let known = Arc::new(known);
        let mut all = self.lock();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(presented.id.clone(), known.clone());
        Ok(Some((known, tenant)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TokenId, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
