//! One request on its way through the app: what the endpoints and the faults may look at and change.

use crate::call::Call;
use crate::config::Config;
use crate::random::Random;
use crate::state::State;
use crate::wire::Request;
use scim::{ResourceType, ScimError};
use serde_json::Value;

/// The resource types that this app serves.
#[derive(Clone, Debug)]
pub struct Types {
    /// Users with their extensions.
    pub user: ResourceType,
    /// Groups.
    pub group: ResourceType,
}

/// Everything about one request while it is worked on.
pub struct Turn<'a> {
    /// The app's set-up.
    pub config: &'a Config,
    /// The resource types served.
    pub types: &'a Types,
    /// What the app holds.
    pub state: &'a mut State,
    /// The app's randomness.
    pub random: &'a mut Random,
    /// The request as it arrived.
    pub request: &'a Request,
    /// The request as read; a fault may change it before the endpoint sees it.
    pub call: Call,
    /// When the request arrived, milliseconds since 1970.
    pub now_ms: i64,
    /// The moment whose content reads show; `None` shows the present.
    pub as_of_ms: Option<i64>,
    /// Whether a change was accepted and stored.
    pub committed: bool,
    /// Set with a 429: until when the client was told to wait, milliseconds since 1970.
    pub retry_at_ms: Option<i64>,
    pub(crate) fired: bool,
    /// Names of the faults that took effect, in order.
    pub(crate) effects: Vec<&'static str>,
}

/// The app as readers see it, without the request.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) config: &'a Config,
    pub(crate) types: &'a Types,
    pub(crate) state: &'a State,
}

impl Turn<'_> {
    /// The bearer token that the request carries, if any.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.request.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Says that the running fault took effect, for those that change something without answering.
    pub fn fire(&mut self) {
        self.fired = true;
    }

    /// Takes the body out of the call; a body that was no JSON is the error it caused.
    pub(crate) fn take_body(&mut self) -> Result<Value, ScimError> {
        std::mem::replace(&mut self.call.body, Ok(Value::Null))
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { config: self.config, types: self.types, state: self.state }
    }
}
