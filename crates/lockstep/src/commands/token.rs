//! `token`: what clients of the endpoint present.

use clap::{Args, Subcommand};
use domain::connection::{Connection, TokenScope};
use domain::token::expiry;
use engine::tokens::{self, Minted, TokenRequest};
use engine::{connections, directory};
use serde_json::{Value, json};
use store::repo::token::Token;

use crate::duration;
use crate::error_report::{CliError, Exit};
use crate::moment;
use crate::output::{line, note, time};
use crate::session::Session;

/// Make, list, rotate and revoke the tokens of identity providers and apps
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token; prints just the token, which cannot be shown again
    #[command(
        after_help = "Examples:\n  lockstep token create --tenant acme --connection okta --expires 365d\n  lockstep token create --scope signin --name portal > portal.token"
    )]
    Create(CreateArguments),
    /// List the tokens that work, with when they expire and when they were used last
    #[command(after_help = "Example:\n  lockstep token list --all")]
    List {
        /// Also those that are revoked or expired
        #[arg(long)]
        all: bool,
    },
    /// Make the successor of a token; both work for a time
    #[command(after_help = "Example:\n  lockstep token rotate okta --overlap 7d")]
    Rotate {
        /// The old token's id or name
        token: String,
        /// How long the old one still works
        #[arg(long, default_value = "7d", value_name = "SPAN", value_parser = duration::parse)]
        overlap: i64,
        /// When the new one expires, for example 365d or 2028-01-31; else after as long a life as the old one had
        #[arg(long, value_name = "TIME", value_parser = moment::future)]
        expires: Option<i64>,
    },
    /// Revoke a token; it stops working at once
    #[command(after_help = "Example:\n  lockstep token revoke nM2kPq8sT4vX")]
    Revoke {
        /// Its id or name
        token: String,
    },
}

/// What the new token is for.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The connection whose identity provider presents it
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// A name for people; else that of the connection
    #[arg(long)]
    name: Option<String>,
    /// When it expires, for example 365d or 2028-01-31; else never
    #[arg(long, value_name = "TIME", value_parser = moment::future)]
    expires: Option<i64>,
    /// What it may do: scim, scim:read or signin
    #[arg(long, default_value = "scim", value_parser = parse_scope)]
    scope: TokenScope,
    /// The user that /Me is, by id, externalId or userName
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

fn parse_scope(text: &str) -> Result<TokenScope, String> {
    TokenScope::parse(text).ok_or_else(|| format!("'{text}' is none of scim, scim:read, signin"))
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Create(arguments) => create(session, arguments).await,
        Command::List { all } => list(session, all).await,
        Command::Rotate { token, overlap, expires } => rotate(session, &token, overlap, expires).await,
        Command::Revoke { token } => {
            let tenant = session.tenant().await?;
            let revoked = tokens::revoke(&session.engine, &tenant, &token).await?;
            session
                .output
                .changed(true, &format!("the token '{}' ({}) is revoked", revoked.name, revoked.id))?;
            Ok(Exit::Done)
        }
    }
}

async fn create(session: &Session, arguments: CreateArguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let request = TokenRequest {
        name: arguments.name,
        scope: arguments.scope,
        connection: arguments.connection,
        user: arguments.user,
        expires_ms: arguments.expires,
    };
    show_new(session, &tokens::create(&session.engine, &tenant, request).await?)?;
    Ok(Exit::Done)
}

async fn rotate(
    session: &Session,
    token: &str,
    overlap: i64,
    expires: Option<i64>,
) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let now_ms = session.engine.env.now_ms();
    let new = tokens::rotate(&session.engine, &tenant, token, overlap, expires).await?;
    if !session.output.is_json() {
        note(&format!(
            "note: the old token works until {} UTC; put the new one in before",
            time(now_ms.saturating_add(overlap))
        ));
    }
    show_new(session, &new)?;
    Ok(Exit::Done)
}

/// Just the token, so that it can go into a file or a variable; with JSON its row too.
fn show_new(session: &Session, new: &Minted) -> Result<(), CliError> {
    if session.output.is_json() {
        let mut value = as_json(&new.token, None, None, session.engine.env.now_ms());
        value["token"] = json!(new.text.expose());
        return session.output.show(&value, String::new);
    }
    line(new.text.expose())
}

async fn list(session: &Session, all: bool) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let now_ms = session.engine.env.now_ms();
    let known = connections::list(&session.engine, &tenant).await?;
    let mut found = tokens::list(&session.engine, &tenant).await?;
    found.retain(|token| all || works(token, now_ms));
    let (mut values, mut rows) = (vec![], vec![]);
    for token in found {
        let connection = known.iter().find(|one| Some(&one.id) == token.connection.as_ref());
        let user = match &token.user {
            Some(id) => directory::show_user(&session.engine, &tenant, id.as_str())
                .await
                .ok()
                .map(|v| v.user.user_name),
            None => None,
        };
        values.push(as_json(&token, connection, user.as_deref(), now_ms));
        let stands_for = match (connection, user) {
            (Some(connection), Some(user)) => format!("{} as {user}", connection.name),
            (Some(connection), None) => connection.name.clone(),
            (None, Some(user)) => user,
            (None, None) => "-".into(),
        };
        rows.push(vec![
            token.id.to_string(),
            token.name.clone(),
            token.scope.as_str().to_owned(),
            stands_for,
            token.last_used_ms.map_or_else(|| "never".into(), time),
            validity(&token, now_ms),
        ]);
    }
    session.output.list(&values, &["id", "name", "scope", "for", "last used (UTC)", "validity"], rows)?;
    Ok(Exit::Done)
}

/// Neither revoked nor expired.
pub(crate) fn works(token: &Token, now_ms: i64) -> bool {
    token.revoked_ms.is_none() && token.expires_ms.is_none_or(|end| end > now_ms)
}

/// How long a token works, in words, with a warning when that ends soon.
pub(crate) fn validity(token: &Token, now_ms: i64) -> String {
    if let Some(at) = token.revoked_ms {
        return format!("revoked {}", time(at));
    }
    match (token.expires_ms, expiry(token.expires_ms, now_ms)) {
        (Some(_), Some(soon)) => soon.to_string(),
        (Some(end), None) => format!("until {}", time(end)),
        (None, _) => "until revoked".into(),
    }
}

/// A token without its secret.
pub(crate) fn as_json(
    token: &Token,
    connection: Option<&Connection>,
    user: Option<&str>,
    now_ms: i64,
) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "connection": connection.map(|one| &one.name),
        "user": user,
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
        "last_used_ms": token.last_used_ms,
        "revoked_ms": token.revoked_ms,
        "warning": expiry(token.expires_ms, now_ms).filter(|_| token.revoked_ms.is_none()).map(|soon| soon.to_string()),
    })
}
