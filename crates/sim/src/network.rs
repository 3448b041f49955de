//! The wire between lane and app: requests and answers in flight, late or lost, and the checks of every write as it is sent.

use std::collections::BTreeSet;

use domain::ids::Subject;
use domain::remote::{Call, RemoteKind};
use engine::connectors::scim::request;
use engine::connectors::{HttpAnswer, TransportError};
use serde_json::Value;
use simapp::{Reply, Request};
use store::repo::intent;

use crate::dice::Dice;
use crate::world::World;

/// What the lane says about a request that it sends.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) subject: Subject,
    pub(crate) call: Call,
    /// When its intent was written, Unix milliseconds.
    pub(crate) intended_ms: i64,
    /// Name of the intended write; none for reads.
    pub(crate) write: Option<&'static str>,
    /// When the run took its snapshot, the subject was to have an active account.
    pub(crate) wanted: bool,
}

enum State {
    /// On its way to the app.
    Outbound,
    /// The answer, or that there is none, is on its way back.
    Answered(Result<HttpAnswer, TransportError>),
}

struct Message {
    id: u64,
    sending: Sending,
    is_write: bool,
    /// Until when the app may still work on it.
    deadline_ms: i64,
    /// The lane still waits for the answer.
    awaited: bool,
    state: State,
}

/// A create that nobody knows the outcome of.
struct Create {
    message: u64,
    subject: Subject,
    deadline_ms: i64,
}

pub(crate) struct Wire {
    messages: Vec<Message>,
    next: u64,
    creates: Vec<Create>,
    /// Ids that an answer has shown to the lane.
    confirmed: BTreeSet<String>,
    /// Ids of users and groups that our requests created.
    pub(crate) created: BTreeSet<String>,
    window_ms: i64,
    /// Faults are on.
    pub(crate) rough: bool,
    dice: Dice,
    /// Requests sent.
    pub(crate) sent: u64,
    /// The subjects of writes, in the order they were sent.
    pub(crate) writes: Vec<Subject>,
}

impl Wire {
    pub(crate) fn new(seed: u64, window_ms: i64) -> Self {
        Self {
            messages: vec![],
            next: 0,
            creates: vec![],
            confirmed: BTreeSet::new(),
            created: BTreeSet::new(),
            window_ms,
            rough: true,
            dice: Dice::new(seed, "network"),
            sent: 0,
            writes: vec![],
        }
    }

    /// Puts a request on the wire; gives its number.
    pub(crate) fn send(&mut self, world: &mut World, sending: Sending) -> u64 {
        let is_write = !matches!(sending.call, Call::Find { .. } | Call::Read { .. } | Call::Probe);
        if is_write {
            self.check(world, &sending);
            self.writes.push(sending.subject.clone());
        }
        self.next += 1;
        self.sent += 1;
        let id = self.next;
        let deadline_ms = (sending.intended_ms + self.window_ms).max(world.now_ms + 1);
        let wire = request(&sending.call);
        world.note(format!("#{id} {} {} for {}", wire.method, wire.path, world.label(&sending.subject)));
        if let Call::Create { .. } = sending.call {
            self.creates.push(Create { message: id, subject: sending.subject.clone(), deadline_ms });
        }
        let message =
            |awaited, state| Message { id, sending: sending.clone(), is_write, deadline_ms, awaited, state };
        let no_answer = |error| message(true, State::Answered(Err(error)));
        let sent = match self.dice.below(100) {
            0..3 if self.rough => {
                world.fault("connection-refused");
                vec![no_answer(TransportError::NotSent("connection refused".into()))]
            }
            3..12 if self.rough && is_write => {
                // The caller gives up now; the app gets the request later.
                world.fault("late-delivery");
                vec![
                    message(false, State::Outbound),
                    no_answer(TransportError::MayBeSent("timed out".into())),
                ]
            }
            12..16 if self.rough && !is_write => {
                world.fault("read-lost");
                vec![no_answer(TransportError::MayBeSent("reset".into()))]
            }
            _ => vec![message(true, State::Outbound)],
        };
        self.messages.extend(sent);
        id
    }

    /// Requests that the app can work on now, by their place.
    pub(crate) fn outbound(&self) -> Vec<usize> {
        let outbound = |message: &Message| matches!(message.state, State::Outbound);
        (0..self.messages.len()).filter(|place| outbound(&self.messages[*place])).collect()
    }

    /// Requests whose answer can be handed over.
    pub(crate) fn answered(&self) -> Vec<u64> {
        let answered = |message: &&Message| matches!(message.state, State::Answered(_));
        self.messages.iter().filter(answered).map(|message| message.id).collect()
    }

    /// Whether a write is on its way to the app and its answer is waited for.
    pub(crate) fn awaits_write(&self) -> bool {
        let under_way = |message: &Message| message.is_write && message.awaited;
        self.messages.iter().any(|message| under_way(message) && matches!(message.state, State::Outbound))
    }

    /// Whether the lane waits for the request at this place.
    pub(crate) fn is_awaited(&self, place: usize) -> bool {
        self.messages[place].awaited
    }

    /// The time by which the next request must have reached the app.
    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.outbound().into_iter().map(|place| self.messages[place].deadline_ms - 1).min()
    }

    /// The app works on every request whose time has come.
    pub(crate) fn deliver_due(&mut self, world: &mut World) {
        while let Some(place) =
            self.outbound().into_iter().find(|place| self.messages[*place].deadline_ms - 1 <= world.now_ms)
        {
            self.deliver(world, place);
        }
    }

    /// The app works on a request.
    pub(crate) fn deliver(&mut self, world: &mut World, place: usize) {
        let (id, awaited) = (self.messages[place].id, self.messages[place].awaited);
        let call = self.messages[place].sending.call.clone();
        let before = held(world);
        let reply = world.remote.handle(&http(&call), world.now_ms);
        let new: Vec<String> = held(world).difference(&before).cloned().collect();
        let status = reply.response().map_or("reset".to_owned(), |response| response.status.to_string());
        let late = if awaited { "" } else { " (nobody waits)" };
        world.note(format!("#{id} -> {status}{late} {}", new.join(" ")));
        if matches!(call, Call::Create { .. }) && !new.is_empty() {
            // It can be found now.
            self.creates.retain(|create| create.message != id);
            self.created.extend(new);
        }
        if awaited {
            self.messages[place].state = State::Answered(answer(&reply));
        } else {
            self.messages.remove(place);
        }
    }

    /// Hands the answer over; none: the request is not answered.
    pub(crate) fn take(&mut self, id: u64) -> Option<Result<HttpAnswer, TransportError>> {
        let answered = |message: &Message| message.id == id && matches!(message.state, State::Answered(_));
        let place = self.messages.iter().position(answered)?;
        let State::Answered(answer) = self.messages.remove(place).state else { return None };
        if let Ok(answer) = &answer {
            self.confirmed.extend(shown(&answer.body));
        }
        let definite = match &answer {
            Ok(answer) => answer.status < 500,
            Err(TransportError::NotSent(_)) => true,
            Err(TransportError::MayBeSent(_)) => false,
        };
        if definite {
            self.creates.retain(|create| create.message != id);
        }
        Some(answer)
    }

    /// The process died: nobody waits for an answer, and the app may or may not get what was on its way.
    pub(crate) fn caller_died(&mut self, world: &mut World) {
        let mut left = vec![];
        for mut message in std::mem::take(&mut self.messages) {
            if !message.awaited {
                left.push(message);
            } else if matches!(message.state, State::Outbound) && message.is_write {
                let lands = self.dice.per_mille(500);
                world.fault(if lands { "crash-request-lands" } else { "crash-request-lost" });
                if lands {
                    message.awaited = false;
                    left.push(message);
                }
            }
        }
        self.messages = left;
    }

    /// What must hold whenever a write is sent.
    fn check(&mut self, world: &mut World, sending: &Sending) {
        let label = world.label(&sending.subject);
        let open = self
            .messages
            .iter()
            .any(|other| other.is_write && other.awaited && other.sending.subject == sending.subject);
        if open {
            world.violated(format!("I8: a second write of {label} is sent while one is in flight"));
        }
        self.check_intent(world, sending, &label);
        self.creates.retain(|create| create.deadline_ms > world.now_ms);
        match &sending.call {
            Call::Create { .. } if self.creates.iter().any(|create| create.subject == sending.subject) => {
                world.violated(format!("I8: {label} is created again while a create may still take effect"));
            }
            Call::Members { add, .. } => {
                for id in add.iter().filter(|id| !self.confirmed.contains(*id)) {
                    world.violated(format!(
                        "I8: {label} gets the member {id} before its account is confirmed"
                    ));
                }
            }
            _ => {}
        }
        if activates(&sending.call) && !sending.wanted {
            world.violated(format!("I8: {label} is activated although nobody wants that"));
        }
    }

    fn check_intent(&self, world: &mut World, sending: &Sending, label: &str) {
        let ((tenant, app), subject) = (world.keys(), sending.subject.id().to_owned());
        let newest = world.look(move |tx| Ok(intent::list(tx, &tenant, &app, &subject, 100)?));
        let durable = newest.iter().any(|row| {
            row.state == "open"
                && Some(row.kind.as_str()) == sending.write
                && row.sent_ms == sending.intended_ms
        });
        if !durable {
            world.violated(format!("I9: a write of {label} is sent without its durable intent"));
        }
    }
}

/// The request makes an account active.
fn activates(call: &Call) -> bool {
    match call {
        Call::Create { kind: RemoteKind::User, .. } => true,
        Call::Patch { kind: RemoteKind::User, request, .. } => request.operations.iter().any(|operation| {
            operation.path.as_ref().is_some_and(|path| path.attr == "active")
                && operation.value == Some(Value::Bool(true))
        }),
        _ => false,
    }
}

fn held(world: &World) -> BTreeSet<String> {
    let all = world.remote.users().into_iter().chain(world.remote.groups());
    all.filter_map(|doc| doc.get("id")?.as_str().map(str::to_owned)).collect()
}

fn http(call: &Call) -> Request {
    let wire = request(call);
    let mut request = Request::new(wire.method, &format!("/scim/v2{}", wire.path));
    if let Some(body) = wire.body {
        request.body = body.into_bytes();
        request = request.with_header("content-type", "application/scim+json");
    }
    match &wire.if_match {
        Some(tag) => request.with_header("if-match", tag),
        None => request,
    }
}

fn answer(reply: &Reply) -> Result<HttpAnswer, TransportError> {
    let Some(response) = reply.response() else { return Err(TransportError::MayBeSent("reset".into())) };
    let header = |name: &str| response.header(name).map(str::to_owned);
    Ok(HttpAnswer {
        status: response.status,
        retry_after: header("retry-after"),
        etag: header("etag"),
        location: header("location"),
        body: response.body.clone(),
    })
}

/// Ids in an answer: of the object, or of the objects of a list.
fn shown(body: &[u8]) -> Vec<String> {
    let doc: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = |doc: &Value| doc.get("id").and_then(Value::as_str).map(str::to_owned);
    let listed = doc.get("Resources").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(id).chain(id(&doc)).collect()
}
