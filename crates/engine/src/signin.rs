//! First and later logins: loading what is known, carrying the decision out in one transaction, and the log of all of them.
//!
//! An app's own sign-on code verifies the assertion and asks here who that is. A user who is made at a first login goes through
//! the same [`crate::directory::apply()`] as one that SCIM pushes, so both together give one user per person.

mod load;
mod log;
mod tie;

use domain::cause::{Cause, Finding};
use domain::connection::{Connection, Principal, TokenScope};
use domain::directory::{Change, Member, User};
use domain::ids::{ConnectionId, TaskId, TenantId, TokenId, UserId};
use domain::signin::{Decision, How, PendingRename, SigninRequest, Snapshot, decide};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::repo::signin::{self as rows, Login};
use store::repo::{task, user};
use store::{StoreError, Tx};

use crate::context::{Context, Engine};
use crate::directory::apply;
use crate::error::EngineError;
use crate::tasks::signin_fix;

pub use load::Resemblance;
pub use log::{LogQuery, LoggedSignin, list_log, prune_log};
pub use tie::{Tie, link, ties, unlink};

/// How often a login is decided anew when another one got in between.
const ATTEMPTS: usize = 4;

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Issuer and subject were known.
    Known,
    /// They were tied to a user now.
    Linked,
    /// A user was made.
    Created,
    /// Nobody signs in.
    Refused,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 4] = [Outcome::Known, Outcome::Linked, Outcome::Created, Outcome::Refused];

    /// As stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Known => "known",
            Outcome::Linked => "linked",
            Outcome::Created => "created",
            Outcome::Refused => "refused",
        }
    }
}

/// The user who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The directory's id, which never changes. Empty while a user only would be made.
    pub id: String,
    /// As the directory has it.
    pub user_name: String,
    /// `displayName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `externalId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// The answer to an app: the user, or a refusal by name with a text that says nothing to strangers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigninAnswer {
    /// What came of it.
    pub outcome: Outcome,
    /// Who signs in; none: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<SignedIn>,
    /// The identity provider calls the user something else; the change has not come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_rename: Option<PendingRename>,
    /// The cause's stable code, for the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What the app may show to whoever tries to sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The code by which an administrator finds this login again.
    pub trace: String,
}

/// A login as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigninReport {
    /// What the app is answered.
    pub answer: SigninAnswer,
    /// The connection of the issuer.
    pub connection: Option<String>,
    /// What was looked for.
    pub looked_for: Vec<String>,
    /// Who resembles the assertion.
    pub close: Vec<Resemblance>,
    /// What is wrong, in a sentence.
    pub title: Option<String>,
    /// What to do next.
    pub fix: Option<String>,
    /// The document of a user who is or would be made.
    pub document: Option<Value>,
}

/// Who asks.
#[derive(Clone, Debug)]
struct Asker {
    tenant: TenantId,
    token: String,
    /// Only about logins of this connection.
    bound: Option<ConnectionId>,
}

/// Decides who signs in and carries it out: ties, makes the user, writes the log, opens a task. For a token of the scope
/// `signin`; one of a connection asks about that connection's issuer only.
pub async fn sign_in(
    engine: &Engine,
    principal: &Principal,
    request: SigninRequest,
) -> Result<SigninAnswer, EngineError> {
    if principal.scope != TokenScope::Signin {
        return Err(EngineError::Invalid(format!(
            "a token of the scope {} cannot ask who signs in; make one with lockstep token create --scope signin",
            principal.scope.as_str()
        )));
    }
    let asker = Asker {
        tenant: principal.tenant.clone(),
        token: principal.token.to_string(),
        bound: principal.connection.as_ref().map(|connection| connection.id.clone()),
    };
    Ok(run(engine, asker, request).await?.answer)
}

/// What a login would give, for an administrator; `commit` carries it out as [`sign_in`] does.
pub async fn try_out(
    engine: &Engine,
    tenant: &TenantId,
    request: SigninRequest,
    commit: bool,
) -> Result<SigninReport, EngineError> {
    let asker = Asker { tenant: tenant.clone(), token: TokenId::new("cli").to_string(), bound: None };
    if commit {
        return run(engine, asker, request).await;
    }
    request.check().map_err(EngineError::Invalid)?;
    let context = engine.context(tenant);
    engine
        .read(move |tx| {
            let snapshot = load::snapshot(tx, &asker.tenant, asker.bound.as_ref(), &request)?;
            let decision = decide(&request, &snapshot, context.now_ms);
            Ok(report(&request, &snapshot, &decision, &context.trace))
        })
        .await
}

async fn run(engine: &Engine, asker: Asker, request: SigninRequest) -> Result<SigninReport, EngineError> {
    request.check().map_err(EngineError::Invalid)?;
    let mut refusal = None;
    for _ in 0..ATTEMPTS {
        match attempt(engine, asker.clone(), request.clone(), refusal).await {
            // SCIM or another login made the user in between: what is known now decides.
            Err(EngineError::Conflict(_) | EngineError::Store(StoreError::Conflict { .. })) => {}
            Err(EngineError::Seats { .. }) => refusal = Some(Cause::SigninNoSeat),
            // The claims do not make a valid user.
            Err(EngineError::Invalid(_)) if refusal.is_none() => refusal = Some(Cause::SigninNoName),
            done => return done,
        }
    }
    Err(EngineError::Busy("others keep changing the same user; try again".into()))
}

/// One transaction: everything or nothing. A refusal that a former attempt met takes the place of making a user.
async fn attempt(
    engine: &Engine,
    asker: Asker,
    request: SigninRequest,
    refusal: Option<Cause>,
) -> Result<SigninReport, EngineError> {
    let tenant = asker.tenant.clone();
    engine
        .write(&tenant, move |tx, context| {
            let snapshot = load::snapshot(tx, &asker.tenant, asker.bound.as_ref(), &request)?;
            let decision = match (decide(&request, &snapshot, context.now_ms), refusal) {
                (Decision::Create { .. }, Some(cause)) => Decision::Refuse(cause),
                (decision, _) => decision,
            };
            let name = snapshot.connection.as_ref().map_or("-", |connection| connection.name.as_str());
            context.actor = format!("signin:{name}");
            // Whoever signs in is waiting.
            context.priority = 1;
            let mut report = report(&request, &snapshot, &decision, &context.trace);
            carry_out(tx, context, &request, &snapshot, &decision, &mut report)?;
            log::write(tx, context, &asker, &request, &snapshot, &report)?;
            Ok(report)
        })
        .await
}

fn carry_out(
    tx: &mut Tx<'_>,
    context: &mut Context,
    request: &SigninRequest,
    snapshot: &Snapshot,
    decision: &Decision,
    report: &mut SigninReport,
) -> Result<(), EngineError> {
    let login = Login { issuer: &request.issuer, subject: &request.subject };
    let Some(connection) = &snapshot.connection else {
        return open_task(tx, context, request, snapshot, report);
    };
    match decision {
        Decision::SignIn { user, how, pending } => {
            if *how == How::Linked {
                tie::save(tx, context, login, &user.id, &connection.id)?;
            }
            let before = snapshot.known.as_ref().and_then(|known| known.name.as_deref());
            let now = pending.as_ref().map(|pending| (pending.asserted.as_str(), pending.since_ms));
            if before != now.map(|(name, _)| name) {
                rows::set_name(tx, &context.tenant, login, now)?;
            }
        }
        Decision::Create { doc } => {
            let user = create(tx, context, connection, doc)?;
            tie::save(tx, context, login, &user.id, &connection.id)?;
            report.answer.user = Some(signed_in(&user));
        }
        Decision::Refuse(Cause::SigninInactive) => return Ok(()),
        Decision::Refuse(_) => return open_task(tx, context, request, snapshot, report),
    }
    let key = topic(request);
    for owner in [connection.id.as_str(), ""] {
        let owner = domain::ids::AppId::new(owner);
        task::close_of_subject(tx, &context.tenant, &owner, &key, None, context.now_ms)?;
    }
    Ok(())
}

fn create(
    tx: &mut Tx<'_>,
    context: &mut Context,
    connection: &Connection,
    doc: &Value,
) -> Result<User, EngineError> {
    let id = UserId::new(context.ids.uuid());
    let mut batch =
        vec![Change::CreateUser { id: id.clone(), source: connection.source(), doc: doc.clone() }];
    for group in &connection.settings.default_groups {
        batch.push(Change::AddMember { group: group.clone(), member: Member::User(id.clone()) });
    }
    apply(tx, context, &batch)?;
    user::get(tx, &context.tenant, &id)?
        .ok_or_else(|| EngineError::Busy("the new user is gone already; try again".into()))
}

/// What a decision looks like before it is carried out.
fn report(request: &SigninRequest, snapshot: &Snapshot, decision: &Decision, trace: &str) -> SigninReport {
    let connection = snapshot.connection.as_ref().map(|connection| connection.name.clone());
    let answer = |outcome, user| SigninAnswer {
        outcome,
        user,
        pending_rename: None,
        refusal: None,
        message: None,
        trace: trace.to_owned(),
    };
    let mut report = SigninReport {
        answer: answer(Outcome::Refused, None),
        looked_for: load::looked_for(request, snapshot),
        close: load::close(snapshot),
        title: None,
        fix: None,
        document: None,
        connection,
    };
    match decision {
        Decision::SignIn { user, how, pending } => {
            let outcome = if *how == How::Known { Outcome::Known } else { Outcome::Linked };
            report.answer = answer(outcome, Some(signed_in(user)));
            report.answer.pending_rename.clone_from(pending);
        }
        Decision::Create { doc } => {
            let text = |name: &str| doc.get(name).and_then(Value::as_str).map(str::to_owned);
            let user = SignedIn {
                id: String::new(),
                user_name: text("userName").unwrap_or_default(),
                display_name: text("displayName"),
                external_id: text("externalId"),
            };
            report.answer = answer(Outcome::Created, Some(user));
            report.document = Some(doc.clone());
        }
        Decision::Refuse(cause) => {
            report.answer.refusal = Some(cause.code().to_owned());
            report.answer.message =
                Some(format!("You cannot sign in. Please give your administrator this code: {trace}"));
            report.title = Some(cause.title().to_owned());
            let name = report.connection.as_deref().unwrap_or_default();
            report.fix = Some(signin_fix(*cause, name, &evidence(request, &report)));
        }
    }
    report
}

fn signed_in(user: &User) -> SignedIn {
    SignedIn {
        id: user.id.to_string(),
        user_name: user.user_name.clone(),
        display_name: user.doc.get("displayName").and_then(Value::as_str).map(str::to_owned),
        external_id: user.external_id.clone(),
    }
}

/// Everything that a person needs to decide, which whoever signs in is not told.
fn open_task(
    tx: &mut Tx<'_>,
    context: &mut Context,
    request: &SigninRequest,
    snapshot: &Snapshot,
    report: &SigninReport,
) -> Result<(), EngineError> {
    let cause = Cause::ALL.iter().find(|cause| Some(cause.code()) == report.answer.refusal.as_deref());
    let Some(cause) = cause else { return Ok(()) };
    let finding = Finding { cause: *cause, evidence: evidence(request, report) };
    let owner = snapshot.connection.as_ref().map_or("", |connection| connection.id.as_str());
    let (key, id) = (topic(request), TaskId::new(context.ids.uuid()));
    task::open_about(tx, &context.tenant, owner, (&key, "signin"), &finding, &id, context.now_ms)?;
    Ok(())
}

fn evidence(request: &SigninRequest, report: &SigninReport) -> Value {
    let who = request.user_name().or_else(|| request.email()).unwrap_or_else(|| request.subject.clone());
    json!({
        "who": who,
        "user": report.close.first().map(|close| &close.user_name),
        "issuer": request.issuer,
        "subject": request.subject,
        "lookedFor": report.looked_for,
        "close": report.close,
        "trace": report.answer.trace,
    })
}

/// Names one issuer's subject in the tasks.
fn topic(request: &SigninRequest) -> String {
    let mut hash = Sha256::new();
    hash.update((request.issuer.len() as u64).to_be_bytes());
    hash.update(request.issuer.as_bytes());
    hash.update(request.subject.as_bytes());
    domain::audit::hex(&hash.finalize())[..32].to_owned()
}
