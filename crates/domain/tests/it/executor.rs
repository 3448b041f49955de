//! The state machine of one run, fed by hand: which effect follows which event.

use domain::executor::{After, Effect, Event, Finish, Intended, IntentEnd, LaneSignal, Run};
use domain::ids::IntentId;
use domain::remote::{Call, Evidence, Outcome};
use domain::snapshot::{LinkState, Snapshot};
use serde_json::json;

use crate::subject::{ada, linked, remote, snapshot};

/// Steps until the machine wants to send something other than a look-up, or settles.
fn until_write(run: &mut Run, user: Snapshot) -> Effect {
    assert!(matches!(run.step(Event::Start), Effect::Load { .. }));
    let mut effect = run.step(Event::Loaded(Some(user)));
    while let Effect::Send(call) = &effect {
        assert!(matches!(**call, Call::Find { .. }), "only look-ups come before an intent");
        effect = run.step(Event::Answered(Outcome::Found(vec![])));
    }
    effect
}

fn granted(run: &mut Run) -> Effect {
    run.step(Event::Intended(Intended::Granted(IntentId::new("i-1"))))
}

fn settle(effect: Effect) -> domain::executor::Settlement {
    match effect {
        Effect::Settle(settlement) => *settlement,
        other => panic!("expected a settlement, got {other:?}"),
    }
}

#[test]
fn a_create_is_announced_sent_and_recorded_in_this_order() {
    let mut run = Run::new();
    assert!(matches!(until_write(&mut run, snapshot(ada())), Effect::Intend(_)));
    assert!(matches!(granted(&mut run), Effect::Send(call) if matches!(*call, Call::Create { .. })));
    let answer = remote("r-9", json!({"userName": "ADA", "externalId": "id-ada"}));
    let settlement = settle(run.step(Event::Answered(Outcome::Applied(Some(answer)))));
    assert_eq!(settlement.intent, Some((IntentId::new("i-1"), IntentEnd::Applied)));
    let link = settlement.link.unwrap();
    assert_eq!((link.state, link.remote_id.as_deref()), (LinkState::Live, Some("r-9")));
    assert_eq!(link.normal.unwrap()["userName"], json!("ADA"), "the app's own form is learned");
    assert_eq!(settlement.after, After::Done);
    let Effect::Finish(finish) = run.step(Event::Settled) else { panic!("the run is over") };
    assert_eq!(finish, Finish { applied: vec!["create"], lane: LaneSignal::Fine });
}

#[test]
fn a_lost_answer_leaves_the_intent_unknown_and_is_not_repeated_in_the_same_run() {
    let mut run = Run::new();
    until_write(&mut run, snapshot(ada()));
    granted(&mut run);
    let settlement = settle(run.step(Event::Answered(Outcome::Unknown(Evidence::default()))));
    assert_eq!(settlement.intent, Some((IntentId::new("i-1"), IntentEnd::Unknown)));
    assert!(settlement.link.is_none());
    assert!(matches!(run.step(Event::Settled), Effect::Finish(_)));
}

#[test]
fn a_throttled_write_keeps_its_mark_and_is_no_failure() {
    let mut run = Run::new();
    until_write(&mut run, snapshot(ada()));
    granted(&mut run);
    let settlement = settle(run.step(Event::Answered(Outcome::Throttled { after_ms: 700 })));
    assert_eq!((settlement.after, settlement.lane), (After::Keep, LaneSignal::Throttled(700)));
    assert_eq!(settlement.intent.unwrap().1, IntentEnd::NotApplied);
    assert!(settlement.finding.is_none());
}

#[test]
fn a_refusal_parks_the_subject_with_its_cause() {
    let mut run = Run::new();
    until_write(&mut run, snapshot(ada()));
    granted(&mut run);
    let evidence = Evidence { status: Some(403), detail: "Seat limit reached".into(), ..Evidence::default() };
    let settlement = settle(run.step(Event::Answered(Outcome::Rejected(evidence))));
    assert_eq!(settlement.after, After::Park);
    assert_eq!(settlement.finding.unwrap().cause.code(), "seats.exhausted");
}

#[test]
fn what_the_guard_staged_or_another_owner_took_sends_nothing() {
    for (intended, lane) in [(Intended::Staged, LaneSignal::Fine), (Intended::Fenced, LaneSignal::Fenced)] {
        let mut leaver = linked(ada(), LinkState::Live);
        leaver.user.active = false;
        let mut run = Run::new();
        assert!(matches!(until_write(&mut run, snapshot(leaver)), Effect::Intend(_)));
        let Effect::Finish(finish) = run.step(Event::Intended(intended)) else {
            panic!("nothing may be sent")
        };
        assert_eq!(finish.lane, lane);
    }
}

#[test]
fn a_superseded_intent_leads_to_a_fresh_look() {
    let mut run = Run::new();
    until_write(&mut run, snapshot(ada()));
    assert!(matches!(run.step(Event::Intended(Intended::Superseded)), Effect::Load { .. }));
}

#[test]
fn a_stranger_that_the_app_returns_for_a_filter_is_not_linked() {
    let mut run = Run::new();
    run.step(Event::Start);
    run.step(Event::Loaded(Some(snapshot(ada()))));
    let stranger = remote("r-7", json!({"userName": "somebody.else"}));
    run.step(Event::Answered(Outcome::Found(vec![stranger.clone()])));
    let effect = run.step(Event::Answered(Outcome::Found(vec![stranger])));
    assert!(matches!(effect, Effect::Owners { .. }));
    assert!(
        matches!(run.step(Event::Owners(vec![None])), Effect::Intend(_)),
        "a new account is created instead"
    );
}
