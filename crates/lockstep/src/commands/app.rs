//! `app`: connect an app, assign it, test it, activate it, compare it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::app::{App, AppSettings, AppState};
use domain::cause::{Cause, Finding};
use domain::ids::TenantId;
use domain::remote::{Call, Evidence};
use engine::EngineError;
use engine::apps;
use engine::connectors::scim;
use engine::lane::probe::{Probe, judge};
use engine::transport::Transport;
use serde_json::json;

use super::confirm::confirmed;
use super::{app_mapping, app_scope, app_settings, app_show, plan};
use crate::environment;
use crate::error_report::{CliError, Exit};
use crate::output::{line, note};
use crate::session::{Session, read_token};

/// Connect apps and set how they are provisioned
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect an app; it starts in preview and nothing is sent until it is activated
    #[command(
        after_help = "Example:\n  lockstep app add crm --base-url https://crm.example.com/scim/v2 --token-file crm.token"
    )]
    Add(AddArguments),
    /// List the apps
    #[command(after_help = "Example:\n  lockstep app list")]
    List,
    /// Show an app and its settings
    #[command(after_help = "Example:\n  lockstep app show crm")]
    Show {
        /// The app's name
        app: String,
    },
    /// Change switches, policies and limits
    #[command(after_help = "Example:\n  lockstep app set crm --link on --rate 10 --in-flight-window 2m")]
    Set(Box<app_settings::SetArguments>),
    /// Enter a new token; it is tested first
    #[command(
        after_help = "Example:\n  lockstep app credentials crm --token-file crm.token\n  pass show crm | lockstep app credentials crm --token-file -"
    )]
    Credentials {
        /// The app's name
        app: String,
        /// A file that holds just the token; - reads stdin
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// Store it without asking the app
        #[arg(long)]
        no_test: bool,
    },
    /// How app attributes get their values
    Mapping(app_mapping::Arguments),
    /// The filter that must hold besides assignment
    #[command(
        after_help = "Example:\n  lockstep app scope crm 'userType eq \"Employee\"'\n  lockstep app scope crm --none"
    )]
    Scope(app_scope::Arguments),
    /// Ask the app whether it answers and accepts the credentials
    #[command(after_help = "Example:\n  lockstep app test crm")]
    Test {
        /// The app's name
        app: String,
    },
    /// Start sending: shows the plan first
    #[command(after_help = "Example:\n  lockstep app activate crm")]
    Activate {
        /// The app's name
        app: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Stop sending; changes are collected
    #[command(after_help = "Example:\n  lockstep app pause crm")]
    Pause {
        /// The app's name
        app: String,
    },
    /// Go on after a pause
    #[command(after_help = "Example:\n  lockstep app resume crm")]
    Resume {
        /// The app's name
        app: String,
    },
    /// Read the whole app, find what differs and repair it
    #[command(after_help = "Example:\n  lockstep app compare crm --report-only")]
    Compare {
        /// The app's name
        app: String,
        /// Show what differs, change nothing
        #[arg(long)]
        report_only: bool,
    },
    /// Assign users or groups to an app
    #[command(after_help = "Example:\n  lockstep app assign crm --group Sales --user ada@acme.example")]
    Assign(AssignArguments),
    /// Take an assignment back
    #[command(after_help = "Example:\n  lockstep app unassign crm --group Sales")]
    Unassign(AssignArguments),
    /// List who is assigned
    #[command(after_help = "Example:\n  lockstep app assignments crm")]
    Assignments {
        /// The app's name
        app: String,
    },
}

/// How to reach an app.
#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// A name of your choice
    app: String,
    /// Where its SCIM endpoint is
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// A file that holds just the bearer token; - reads stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Allow loopback, private addresses and plain HTTP
    #[arg(long)]
    allow_private: bool,
    /// Add it without asking the app
    #[arg(long)]
    no_test: bool,
}

/// Who is assigned.
#[derive(Debug, Args)]
pub(crate) struct AssignArguments {
    /// The app's name
    app: String,
    /// A user by id, externalId or userName; may be repeated
    #[arg(long = "user", value_name = "USER", required_unless_present = "groups")]
    users: Vec<String>,
    /// A group by id, externalId or displayName; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Which assignment wins if several hold: the lowest number
    #[arg(long, default_value_t = 100)]
    priority: i64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    match command {
        Command::Add(arguments) => add(session, &tenant, arguments).await,
        Command::List => app_show::list(session, &tenant).await,
        Command::Show { app } => app_show::show(session, &tenant, &app).await,
        Command::Set(arguments) => app_settings::set(session, &tenant, *arguments).await,
        Command::Credentials { app, token_file, no_test } => {
            credentials(session, &tenant, &app, &token_file, no_test).await
        }
        Command::Mapping(arguments) => app_mapping::run(session, &tenant, arguments).await,
        Command::Scope(arguments) => app_scope::run(session, &tenant, arguments).await,
        Command::Test { app } => test(session, &tenant, &app).await,
        Command::Activate { app, yes } => activate(session, &tenant, &app, yes).await,
        Command::Pause { app } => set_state(session, &tenant, &app, AppState::Paused).await,
        Command::Resume { app } => set_state(session, &tenant, &app, AppState::Active).await,
        Command::Compare { app, report_only } => app_show::compare(session, &tenant, &app, report_only).await,
        Command::Assign(arguments) => assign(session, &tenant, arguments, true).await,
        Command::Unassign(arguments) => assign(session, &tenant, arguments, false).await,
        Command::Assignments { app } => app_show::assignments(session, &tenant, &app).await,
    }
}

async fn add(session: &Session, tenant: &TenantId, arguments: AddArguments) -> Result<Exit, CliError> {
    let settings = AppSettings {
        base_url: arguments.base_url,
        allow_private: arguments.allow_private,
        ..AppSettings::default()
    };
    let token = arguments.token_file.as_deref().map(read_token).transpose()?;
    let transport = Transport::new(&settings, token.clone())?;
    if !arguments.no_test {
        ask(session, &transport).await.map_err(|finding| {
            let next = match finding.cause {
                Cause::CredentialsRefused => "put the right token into the file and run the command again",
                Cause::AppNotScim => "check the base URL (it usually ends in /scim/v2) and run the command again",
                Cause::PermissionDenied => "give the service account the right to read users, or use another token",
                _ => "check the address, or start the app, and run the command again; --no-test adds it unasked",
            };
            refused(finding).next(next)
        })?;
    }
    let key = session.sealing_key().await?;
    let app = apps::add(&session.engine, tenant, &arguments.app, settings, token, &key).await?;
    let value = json!({"id": app.id.as_str(), "name": app.name, "state": app.state});
    session.output.show(&value, || {
        let name = &app.name;
        format!(
            "app '{name}' is connected, in preview: nothing is sent yet\n\
             next: lockstep app assign {name} --group GROUP, lockstep push-group add {name} --group GROUP,\n      \
             then lockstep plan {name} and lockstep app activate {name}"
        )
    })?;
    Ok(Exit::Done)
}

async fn credentials(
    session: &Session,
    tenant: &TenantId,
    name: &str,
    file: &std::path::Path,
    no_test: bool,
) -> Result<Exit, CliError> {
    let app = session.app(tenant, name).await?;
    let token = read_token(file)?;
    if !no_test {
        let transport = Transport::new(&app.settings, Some(token.clone()))?;
        ask(session, &transport).await.map_err(|finding| {
            refused(finding)
                .why_more("the stored credentials stay as they were")
                .next("put the right token into the file and run the command again")
        })?;
    }
    let key = session.sealing_key().await?;
    apps::set_token(&session.engine, tenant, name, token, &key).await?;
    // What was held because of the old token is tried at once with the next sync.
    engine::tasks::retry(&session.engine, tenant, &app.id, None).await?;
    session.output.changed(
        true,
        &format!("the credentials of '{}' are stored; held work goes out with the next sync", app.name),
    )?;
    Ok(Exit::Done)
}

async fn test(session: &Session, tenant: &TenantId, name: &str) -> Result<Exit, CliError> {
    let app = session.app(tenant, name).await?;
    let transport = session.transport(tenant, &app).await?;
    ask(session, &transport).await.map_err(|finding| {
        let next = finding.cause.fix().replace("{app}", &app.name);
        refused(finding).next(next)
    })?;
    session
        .output
        .show(&json!({"answers": true}), || format!("'{}' answers and accepts the credentials", app.name))?;
    Ok(Exit::Done)
}

/// Asks the app for one user; a sick app is a finding.
async fn ask(session: &Session, transport: &Transport) -> Result<(), Finding> {
    let call = Call::Probe;
    let answer = transport.send(&scim::request(&call)).await;
    match judge(scim::outcome(&call, answer, session.engine.env.now_ms())) {
        Probe::Healthy => Ok(()),
        Probe::Throttled => {
            note("note: the app answers, but asks for a pause (429)");
            Ok(())
        }
        Probe::Sick(finding) => Err(finding),
    }
}

fn refused(finding: Finding) -> CliError {
    let why = serde_json::from_value::<Evidence>(finding.evidence).map(|evidence| in_words(&evidence));
    CliError::new(finding.cause.code(), finding.cause.title().trim_end_matches('.'))
        .why(why.unwrap_or_default())
}

fn in_words(evidence: &Evidence) -> String {
    let status = evidence.status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
    let detail: String = evidence.detail.chars().take(300).collect();
    format!("{status}: {}", crate::output::printable(&detail).replace('\n', " "))
}

async fn activate(session: &Session, tenant: &TenantId, name: &str, yes: bool) -> Result<Exit, CliError> {
    let app = session.app(tenant, name).await?;
    if app.state == AppState::Active {
        session.output.changed(false, &format!("'{}' is active already", app.name))?;
        return Ok(Exit::Done);
    }
    if !yes {
        let preview = plan::preview_of(session, tenant, &app).await?;
        let shown = plan::in_words(&preview, &app.name, 10);
        if session.output.is_json() || !environment::can_ask() {
            if !session.output.is_json() {
                line(&shown)?;
            }
            return Err(CliError::new("not_confirmed", format!("'{}' is not activated", app.name))
                .why("this is the plan; nobody has agreed to it")
                .next(format!("lockstep app activate {} --yes", app.name)));
        }
        line(&shown)?;
        if !confirmed(&format!("Activate '{}' and send this with the next sync? [y/N] ", app.name)) {
            note("nothing was changed");
            return Ok(Exit::NeedsPerson);
        }
    }
    set_state(session, tenant, name, AppState::Active).await
}

async fn set_state(
    session: &Session,
    tenant: &TenantId,
    name: &str,
    state: AppState,
) -> Result<Exit, CliError> {
    let before: App = session.app(tenant, name).await?;
    let action = if state == AppState::Active { "app.activate" } else { "app.pause" };
    let app = apps::change(&session.engine, tenant, name, action, move |app| {
        app.state = state;
        Ok::<(), EngineError>(())
    })
    .await?;
    let text = match state {
        AppState::Active => format!("'{}' is active; send what is due: lockstep sync", app.name),
        _ => format!("'{}' is paused; go on with: lockstep app resume {}", app.name, app.name),
    };
    session.output.changed(before.state != app.state, &text)?;
    Ok(Exit::Done)
}

async fn assign(
    session: &Session,
    tenant: &TenantId,
    arguments: AssignArguments,
    assigned: bool,
) -> Result<Exit, CliError> {
    let users = arguments.users.into_iter().map(apps::Target::User);
    let targets: Vec<apps::Target> =
        users.chain(arguments.groups.into_iter().map(apps::Target::Group)).collect();
    let (mut changed, mut lines) = (false, vec![]);
    for target in targets {
        let (apps::Target::User(name) | apps::Target::Group(name)) = target.clone();
        let now = apps::assign(&session.engine, tenant, &arguments.app, target, assigned, arguments.priority)
            .await?;
        changed |= now;
        let word = match (assigned, now) {
            (true, true) => "is assigned to",
            (true, false) => "already was assigned to",
            (false, true) => "is no longer assigned to",
            (false, false) => "was not assigned to",
        };
        lines.push(format!("'{name}' {word} '{}'", arguments.app));
    }
    session.output.changed(changed, &lines.join("\n"))?;
    Ok(Exit::Done)
}
