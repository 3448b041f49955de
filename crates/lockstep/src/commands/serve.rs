//! `serve`: the SCIM endpoint, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, audit_log, departures, endpoint, findings, tenants, webhooks};

use store::scim_log::{ScimLog, ScimLogOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::environment;
use crate::error_report::{CliError, Exit};
use crate::output::note;
use crate::session::Session;

/// How often committed audit entries are numbered and chained.
const SEAL_EVERY: Duration = Duration::from_millis(500);
/// How often webhooks are told.
const DELIVER_EVERY: Duration = Duration::from_millis(500);
/// How often findings that time shows are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Serve the SCIM endpoint
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lockstep serve --listen 0.0.0.0:8443 --public-url https://scim.example.com --tls-cert chain.pem --tls-key key.pem\n\n\
Base URL for identity providers: PUBLIC-URL/scim/v2 (the token decides the tenant), or PUBLIC-URL/t/TENANT/scim/v2.\n\
/healthz says that the process runs, /readyz that the database answers, /metrics has figures for Prometheus.\n\
SIGTERM and Ctrl-C let requests finish."
)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 chooses a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What clients call this server, for example https://scim.example.com; it stands in every Location
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate with its chain, PEM; without it put a proxy that speaks TLS in front
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Say nothing but the address
    #[arg(long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, CliError> {
    let public_url = arguments.public_url.as_deref().map(checked_url).transpose()?;
    let tls = tls(&arguments)?;
    let engine = session.engine.clone();
    for tenant in tenants::list(&engine).await? {
        let done = endpoint::reindex(&engine, &tenant.id).await?;
        if done > 0 && !arguments.quiet {
            note(&format!("note: {done} users of '{}' were indexed for the endpoint's filters", tenant.name));
        }
    }
    let log = Arc::new(ScimLog::open(session.location(), ScimLogOptions::new(environment::now_ms))?);
    let options = web::Options { public_url, ..web::Options::new(environment::monotonic_micros) };
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| cannot_listen(&arguments, &error))?;
    let running = web::listen(engine.clone(), log.clone(), arguments.listen, tls, options)
        .await
        .map_err(|error| cannot_listen(&arguments, &error))?;
    println!("listening on {}", running.url);
    if !arguments.quiet {
        note(&format!("SCIM base URL: {}/scim/v2; Ctrl-C stops", running.url));
    }
    let background = [tokio::spawn(seal_all(engine.clone())), tokio::spawn(sweep_all(engine.clone()))];
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = deliver_all(session) => {}
    }
    if !arguments.quiet {
        note("stopping: requests that are under way are finished");
    }
    running.stop().await;
    background.iter().for_each(tokio::task::JoinHandle::abort);
    log.flush().await;

    for tenant in tenants::list(&engine).await? {
        audit_log::seal(&engine, &tenant.id).await?;
    }
    Ok(Exit::Done)
}

/// Chains what was committed, for ever. A failure is tried again: entries are safe without their number.
async fn seal_all(engine: Engine) {
    loop {
        tokio::time::sleep(SEAL_EVERY).await;
        let Ok(all) = tenants::list(&engine).await else { continue };
        for tenant in all {
            // The next round meets the same entries.
            let _ = audit_log::seal(&engine, &tenant.id).await;
        }
    }
}

/// Tells webhooks who lost access, for ever.
async fn deliver_all(session: &Session) {
    loop {
        tokio::time::sleep(DELIVER_EVERY).await;
        let Ok(all) = tenants::list(&session.engine).await else { continue };
        for tenant in all {
            let hooks = webhooks::list(&session.engine, &tenant.id).await;
            // Without a webhook there is nothing to open, so no key is needed or made.
            if hooks.is_ok_and(|hooks| !hooks.is_empty())
                && let Ok(key) = session.sealing_key().await
            {
                // What was not taken is tried again.
                let _ = webhooks::deliver(&session.engine, &tenant.id, &key).await;
            }
        }
    }
}

/// Looks for what time shows: connections that fell silent, findings that are over, users whose day has come.
async fn sweep_all(engine: Engine) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Ok(all) = tenants::list(&engine).await else { continue };
        for tenant in all {
            // The next sweep sees the same.
            let _ = findings::sweep(&engine, &tenant.id, engine.env.now_ms()).await;
            let _ = departures::sweep(&engine, &tenant.id).await;
        }
    }
}

fn checked_url(url: &str) -> Result<String, CliError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(CliError::new("public_url", format!("'{url}' is no base URL"))
            .why("it must begin with https:// or http:// and has no query")
            .next("name what clients call this server, for example https://scim.example.com")),
    }
}

fn tls(arguments: &Arguments) -> Result<Option<web::Tls>, CliError> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| CliError::file("tls", path, &error));
    let tls = web::Tls::from_pem(&read(certificate)?, &read(key)?).map_err(|error| {
        CliError::new("tls", format!("{error}"))
            .next("give a certificate chain and its private key as PEM files")
    })?;
    Ok(Some(tls))
}

fn cannot_listen(arguments: &Arguments, error: &std::io::Error) -> CliError {
    CliError::new("listen", format!("cannot listen on {}: {error}", arguments.listen))
        .next("choose another address or port with --listen, or stop the process that uses it")
}
