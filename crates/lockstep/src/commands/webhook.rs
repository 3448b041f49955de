//! `webhook`: where deactivations and deletions are told at once.

use clap::{Args, Subcommand};
use engine::transport::check_base_url;
use engine::webhooks;
use serde_json::json;
use store::repo::webhook::Webhook;

use crate::error_report::{CliError, Exit};
use crate::output::{line, time};
use crate::session::Session;

/// Tell an app at once who was deactivated or deleted
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Post every deactivation and deletion from now on to this address; prints the secret that signs them, once
    #[command(after_help = "Example:\n  lockstep webhook add https://app.example.com/security-events")]
    Add(AddArguments),
    /// All webhooks, and how far each is
    #[command(after_help = "Example:\n  lockstep webhook list")]
    List,
    /// Stop posting there
    #[command(after_help = "Example:\n  lockstep webhook remove https://app.example.com/security-events")]
    Remove(RemoveArguments),
    /// Deliver what is due now; a running server does this by itself
    #[command(after_help = "Example:\n  lockstep webhook deliver")]
    Deliver,
}

/// A new webhook.
#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// The address, https
    url: String,
    /// The address may be private, and plain HTTP; for tests and own networks
    #[arg(long)]
    allow_private: bool,
}

/// Which webhook.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// Its address or id
    webhook: String,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let engine = &session.engine;
    match command {
        Command::Add(arguments) => {
            // Before a key is made for it.
            check_base_url(&arguments.url, arguments.allow_private)?;
            let key = session.sealing_key().await?;
            let (added, secret) =
                webhooks::add(engine, &tenant, &key, &arguments.url, arguments.allow_private).await?;
            let value = json!({"id": added.id, "url": added.url, "secret": secret.as_str()});
            session.output.show(&value, || {
                format!(
                    "{} is told of every deactivation and deletion from now on: a POST of a security event token (RFC 9967), \
                     signed with HMAC-SHA-256.\nThe secret, shown this once:\n{}",
                    added.url,
                    secret.as_str()
                )
            })?;
            Ok(Exit::Done)
        }
        Command::List => {
            let all = webhooks::list(engine, &tenant).await?;
            let values = all.iter().map(|one| json!(one)).collect::<Vec<_>>();
            session.output.list(&values, &HEADER, all.iter().map(row).collect())?;
            Ok(Exit::Done)
        }
        Command::Remove(arguments) => {
            let removed = webhooks::remove(engine, &tenant, &arguments.webhook).await?;
            session.output.changed(true, &format!("{} is told nothing more", removed.url))?;
            Ok(Exit::Done)
        }
        Command::Deliver => deliver(session).await,
    }
}

async fn deliver(session: &Session) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let mut all = webhooks::Delivered::default();
    // Without a webhook there is nothing to open, so no key is made either.
    while !webhooks::list(&session.engine, &tenant).await?.is_empty() {
        let key = session.sealing_key().await?;
        let turn = webhooks::deliver(&session.engine, &tenant, &key).await?;
        all.delivered += turn.delivered;
        all.failed += turn.failed;
        if !turn.more {
            break;
        }
    }
    if session.output.is_json() {
        line(&json!(all).to_string())?;
    } else {
        line(&format!(
            "{} events were delivered; {} addresses did not answer as they should",
            all.delivered, all.failed
        ))?;
    }
    Ok(if all.failed == 0 { Exit::Done } else { Exit::Waits })
}

const HEADER: [&str; 5] = ["id", "url", "since", "last delivered", "problem"];

fn row(hook: &Webhook) -> Vec<String> {
    let problem = hook.last_error.as_ref().map_or_else(String::new, |error| {
        format!("{error}; {} tries, next at {} UTC", hook.failures, time(hook.due_ms))
    });
    vec![
        hook.id.clone(),
        hook.url.clone(),
        time(hook.created_ms),
        hook.last_ok_ms.map_or_else(|| "never".into(), time),
        problem,
    ]
}
