//! The app itself: one request in, one reply out, with the faults around the endpoints.

use crate::call::{Call, Kind, Target, Verb};
use crate::config::Config;
use crate::faults::Rules;
use crate::random::Random;
use crate::seen::{Outcome, Watch};
use crate::state::State;
use crate::turn::{Turn, Types, View};
use crate::wire::{Reply, Request, Response};
use crate::{discovery, groups, list, users};
use scim::ResourceType;

/// A SCIM app with real state; deterministic for the same configuration, requests and times.
pub struct App {
    pub(crate) config: Config,
    pub(crate) types: Types,
    pub(crate) state: State,
    pub(crate) rules: Rules,
    pub(crate) watch: Watch,
    random: Random,
}

impl App {
    /// An empty app.
    pub fn new(config: Config) -> Self {
        let user =
            config.user_extensions.iter().cloned().fold(ResourceType::user(), ResourceType::with_extension);
        let mut app = Self {
            types: Types { user, group: ResourceType::group() },
            state: State::new(&config.id_prefix),
            rules: Rules::default(),
            watch: Watch::default(),
            random: Random::new(config.seed),
            config,
        };
        app.set_faults(app.config.faults.clone());
        app
    }

    /// Works on one request that arrives at `now_ms` (milliseconds since 1970) and says what the caller sees.
    ///
    /// Requests under `/_sim/` inspect and edit the app; they meet no fault and are not counted.
    pub fn handle(&mut self, request: &Request, now_ms: i64) -> Reply {
        if let Some(reply) = self.handle_admin(request, now_ms) {
            return reply;
        }
        let call = Call::read(request, &self.config.base_path);
        self.watch.arrived(&call, now_ms);
        let mut turn = Turn {
            config: &self.config,
            types: &self.types,
            state: &mut self.state,
            random: &mut self.random,
            request,
            call,
            now_ms,
            as_of_ms: None,
            committed: false,
            retry_at_ms: None,
            fired: false,
            effects: Vec::new(),
        };
        // In-flight counting wants the call as it arrived, before an endpoint takes its body.
        let subject = turn.call.is_write().then(|| turn.call.subject()).flatten();
        let mut reply = match self.rules.before(&mut turn) {
            Some(reply) => reply,
            None => Reply::at_once(answer(&mut turn, &mut self.rules).unwrap_or_else(|refusal| refusal)),
        };
        self.rules.after(&mut turn, &mut reply);
        let outcome = Outcome { subject, committed: turn.committed, retry_at_ms: turn.retry_at_ms, now_ms };
        for name in std::mem::take(&mut turn.effects) {
            self.watch.fault_fired(name);
        }
        self.watch.replied(request, &reply, outcome);
        reply
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { config: &self.config, types: &self.types, state: &self.state }
    }
}

/// What the app answers when no fault gets in the way; refusals are the `Err`.
fn answer(turn: &mut Turn<'_>, rules: &mut Rules) -> Result<Response, Response> {
    check_access(turn)?;
    if let Some(response) = rules.admit(turn) {
        return Err(response);
    }
    let target = turn.call.target.clone();
    match (turn.call.verb, &target) {
        (Verb::Get, Target::ServiceProviderConfig) => Ok(discovery::service_provider_config(turn.view())),
        (Verb::Get, Target::Schemas(id)) => discovery::schemas(turn.view(), id.as_deref()),
        (Verb::Get, Target::ResourceTypes(name)) => discovery::resource_types(turn.view(), name.as_deref()),
        (Verb::Get, Target::All(kind)) => {
            let query = list::Query::of_call(&turn.call, turn.config.max_page_size)?;
            Ok(list::answer(turn.view(), *kind, &query, turn.as_of_ms)?)
        }
        (Verb::Post, Target::Search(kind)) => {
            let body = turn.take_body()?;
            let query = list::Query::of_body(&body, turn.config.max_page_size)?;
            Ok(list::answer(turn.view(), *kind, &query, turn.as_of_ms)?)
        }
        (Verb::Post, Target::All(Kind::Users)) => users::create(turn, rules),
        (Verb::Post, Target::All(Kind::Groups)) => groups::create(turn, rules),
        (Verb::Get, Target::One(Kind::Users, id)) => users::read(turn, id),
        (Verb::Get, Target::One(Kind::Groups, id)) => groups::read(turn, id),
        (Verb::Put, Target::One(Kind::Users, id)) => users::put(turn, rules, id),
        (Verb::Put, Target::One(Kind::Groups, id)) => groups::put(turn, rules, id),
        (Verb::Patch, Target::One(Kind::Users, id)) => users::patch(turn, rules, id),
        (Verb::Patch, Target::One(Kind::Groups, id)) => groups::patch(turn, rules, id),
        (Verb::Delete, Target::One(Kind::Users, id)) => users::delete(turn, rules, id),
        (Verb::Delete, Target::One(Kind::Groups, id)) => groups::delete(turn, rules, id),
        (_, Target::NotOffered(path)) => Err(Response::error(501, &format!("{path} is not offered here"))),
        (_, Target::Unknown) => Err(Response::error(404, "there is no such endpoint")),
        (verb, target) => Err(method_not_allowed(verb, target)),
    }
}

fn check_access(turn: &Turn<'_>) -> Result<(), Response> {
    if let Some(token) = &turn.config.token
        && turn.bearer() != Some(token)
    {
        let response = Response::error(401, "the bearer token is missing or not valid");
        return Err(response.with_header("www-authenticate", "Bearer realm=\"scim\""));
    }
    if turn.request.body.len() > turn.config.max_body_bytes {
        let detail = format!("the body is over {} bytes", turn.config.max_body_bytes);
        return Err(Response::error(413, &detail));
    }
    let content_type = turn.request.header("content-type").unwrap_or("application/scim+json");
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_json =
        ["application/scim+json", "application/json"].iter().any(|t| t.eq_ignore_ascii_case(media_type));
    if !turn.request.body.is_empty() && !is_json {
        return Err(Response::error(
            415,
            &format!("the media type {media_type:?} is not application/scim+json"),
        ));
    }
    Ok(())
}

fn method_not_allowed(verb: Verb, target: &Target) -> Response {
    let allowed = match target {
        Target::All(_) => "GET, POST",
        Target::One(..) => "GET, PUT, PATCH, DELETE",
        Target::Search(_) => "POST",
        _ => "GET",
    };
    Response::error(405, &format!("{} is not allowed here, only {allowed}", verb.name()))
        .with_header("allow", allowed)
}
