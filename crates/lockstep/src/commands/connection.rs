//! `connection`: the identity providers that push into the directory.

use clap::{Args, Subcommand, ValueEnum};
use domain::connection::{Connection, ConnectionSettings, IdentityProvider, TokenScope};
use domain::ids::TenantId;
use engine::tokens::{self, TokenRequest};
use engine::{EngineError, connections, directory};
use serde_json::{Value, json};
use store::repo::token::Token;

use super::connection_settings::{Policies, shown};
use super::{connection_compare, connection_setup, log_scim, token};
use crate::error_report::{CliError, Exit};
use crate::moment;
use crate::output::{note, pairs, table, time};
use crate::session::Session;

/// Connect identity providers that push users and groups into the directory
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a connection with its token and print what to type where in the identity provider
    #[command(
        after_help = "Examples:\n  lockstep connection add okta okta --base-url https://scim.example.com\n  lockstep connection add entra entra --base-url https://scim.example.com --expires 365d"
    )]
    Add(Box<AddArguments>),
    /// List the connections
    #[command(after_help = "Example:\n  lockstep connection list")]
    List,
    /// Show a connection, its policies and its tokens
    #[command(after_help = "Example:\n  lockstep connection show okta")]
    Show {
        /// The connection's name
        connection: String,
        /// Print what to type where again, with this address of the server
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
    },
    /// Change the policies
    #[command(
        after_help = "Examples:\n  lockstep connection set okta --exclude 'userType eq \"Service\"' --default-group Everyone\n  lockstep connection set entra --issuer https://login.microsoftonline.com/TENANT/v2.0 --subject oid=externalId"
    )]
    Set {
        /// The connection's name
        connection: String,
        #[command(flatten)]
        policies: Box<Policies>,
    },
    /// Compare an export of the identity provider with what arrived, and say what makes it send the rest
    #[command(
        after_help = "Examples:\n  lockstep connection compare okta-users.csv --members members.csv\n  lockstep connection compare users.csv --connection entra --groups groups.csv"
    )]
    Compare(Box<connection_compare::Arguments>),
    /// Remove a connection and revoke its tokens; what it pushed stays
    #[command(after_help = "Example:\n  lockstep connection remove okta --yes")]
    Remove {
        /// The connection's name
        connection: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Provider {
    Okta,
    Entra,
    Onelogin,
    Jumpcloud,
    Generic,
}

/// What to connect.
#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// Which product it is
    #[arg(value_enum)]
    provider: Provider,
    /// A name: letters, digits, hyphens, underscores and dots
    name: String,
    /// The address that the identity provider reaches this server at
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// When the token expires, for example 365d or 2028-01-31; else never
    #[arg(long, value_name = "TIME", value_parser = moment::future)]
    expires: Option<i64>,
    /// Then show the calls of the identity provider as they come, until stopped; with =N until N came
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    wait: Option<i64>,
    #[command(flatten)]
    policies: Policies,
}

impl Provider {
    fn known(self) -> IdentityProvider {
        match self {
            Provider::Okta => IdentityProvider::Okta,
            Provider::Entra => IdentityProvider::Entra,
            Provider::Onelogin => IdentityProvider::Onelogin,
            Provider::Jumpcloud => IdentityProvider::Jumpcloud,
            Provider::Generic => IdentityProvider::Generic,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    match command {
        Command::Add(arguments) => add(session, &tenant, *arguments).await,
        Command::List => list(session, &tenant).await,
        Command::Show { connection, base_url } => show(session, &tenant, &connection, base_url).await,
        Command::Set { connection, policies } => set(session, &tenant, &connection, *policies).await,
        Command::Compare(arguments) => connection_compare::run(session, &tenant, *arguments).await,
        Command::Remove { connection, yes } => remove(session, &tenant, &connection, yes).await,
    }
}

async fn add(session: &Session, tenant: &TenantId, arguments: AddArguments) -> Result<Exit, CliError> {
    let engine = &session.engine;
    let provider = arguments.provider.known();
    let address = address(provider, arguments.base_url.as_deref())?;
    let (owner, policies) = (tenant.clone(), arguments.policies);
    let settings = engine
        .read(move |tx| {
            let mut settings = ConnectionSettings::of(provider);
            policies.carry_out(tx, &owner, &mut settings)?;
            Ok(settings)
        })
        .await?;
    let added = connections::add(engine, tenant, &arguments.name, provider, settings).await?;
    let request = TokenRequest {
        name: None,
        scope: TokenScope::Scim,
        connection: Some(added.id.to_string()),
        user: None,
        expires_ms: arguments.expires,
    };
    let minted = tokens::create(engine, tenant, request).await?;
    let steps = connection_setup::steps(provider, &address);
    let value = json!({
        "connection": added, "base_url": address, "token": minted.text.expose(), "token_id": minted.token.id, "steps": steps,
    });
    session.output.show(&value, || {
        let mut text = format!(
            "connection '{}' is made. Its token, which is not shown again:\n\n  {}\n\nIn {}:\n{}",
            added.name,
            minted.text.expose(),
            provider.title(),
            connection_setup::in_words(&steps)
        );
        if arguments.base_url.is_none() {
            text.push_str(&format!(
                "\nYOUR-SERVER is where lockstep serve is reached; to see this with the address:\n  lockstep connection show {} --base-url https://scim.example.com\n",
                added.name
            ));
        }
        text
    })?;
    match arguments.wait {
        None => Ok(Exit::Done),
        Some(calls) => {
            note(&format!("waiting for the calls of '{}'; the server must run: lockstep serve", added.name));
            log_scim::watch(session, &added, Some(calls).filter(|calls| *calls > 0)).await
        }
    }
}

fn address(provider: IdentityProvider, given: Option<&str>) -> Result<String, CliError> {
    connection_setup::endpoint(provider, given).map_err(|problem| {
        let (what, next) = problem.split_once("; ").unwrap_or((&problem, ""));
        CliError::new("base_url", what).next(next)
    })
}

async fn list(session: &Session, tenant: &TenantId) -> Result<Exit, CliError> {
    let now_ms = session.engine.env.now_ms();
    let tokens = tokens::list(&session.engine, tenant).await?;
    let (mut values, mut rows) = (vec![], vec![]);
    for found in connections::list(&session.engine, tenant).await? {
        let own: Vec<&Token> =
            tokens.iter().filter(|one| one.connection.as_ref() == Some(&found.id)).collect();
        let working = own.iter().filter(|one| token::works(one, now_ms)).count();
        let last = own.iter().filter_map(|one| one.last_used_ms).max();
        rows.push(vec![
            found.name.clone(),
            found.provider.as_str().to_owned(),
            working.to_string(),
            last.map_or_else(|| "never".into(), time),
            found.settings.issuer.clone().unwrap_or_else(|| "-".into()),
        ]);
        let mut value = json!(found);
        value["working_tokens"] = json!(working);
        value["last_used_ms"] = json!(last);
        values.push(value);
    }
    session.output.list(&values, &["name", "provider", "tokens", "last call (UTC)", "issuer"], rows)?;
    Ok(Exit::Done)
}

async fn show(
    session: &Session,
    tenant: &TenantId,
    name: &str,
    base_url: Option<String>,
) -> Result<Exit, CliError> {
    let found = connections::find(&session.engine, tenant, name).await?;
    let now_ms = session.engine.env.now_ms();
    let mut own = tokens::list(&session.engine, tenant).await?;
    own.retain(|one| one.connection.as_ref() == Some(&found.id) && token::works(one, now_ms));
    let mut value = json!(found);
    value["tokens"] =
        own.iter().map(|one| token::as_json(one, Some(&found), None, now_ms)).collect::<Vec<Value>>().into();
    let steps = match &base_url {
        Some(_) => {
            let steps =
                connection_setup::steps(found.provider, &address(found.provider, base_url.as_deref())?);
            value["steps"] = json!(steps);
            steps
        }
        None => vec![],
    };
    let names = group_names(session, tenant, &found).await?;
    session.output.show(&value, || {
        let mut text = pairs(&[
            ("name", found.name.clone()),
            ("provider", found.provider.as_str().to_owned()),
            ("made", time(found.created_ms)),
        ]);
        text.push('\n');
        let label = |id: &str| names.iter().find(|(of, _)| of == id).map_or(id, |(_, name)| name).to_owned();
        text.push_str(&pairs(&shown(&found.settings, label)));
        text.push_str("\n\n");
        if own.is_empty() {
            text.push_str(&format!(
                "no token works, so nothing can come in; make one: lockstep token create --connection {}",
                found.name
            ));
        } else {
            let rows = own.iter().map(|one| {
                vec![
                    one.id.to_string(),
                    one.name.clone(),
                    one.scope.as_str().to_owned(),
                    one.last_used_ms.map_or_else(|| "never".into(), time),
                    token::validity(one, now_ms),
                ]
            });
            text.push_str(&table(&["token", "name", "scope", "last used (UTC)", "validity"], rows.collect()));
        }
        if !steps.is_empty() {
            text.push_str(&format!(
                "\n\nIn {}:\n{}",
                found.provider.title(),
                connection_setup::in_words(&steps)
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}

/// Ids and names of the groups that the settings name; a deleted one has its id only.
async fn group_names(
    session: &Session,
    tenant: &TenantId,
    found: &Connection,
) -> Result<Vec<(String, String)>, CliError> {
    let mut names = vec![];
    for id in found.settings.default_groups.iter().chain(&found.settings.required_group) {
        match directory::show_group(&session.engine, tenant, id.as_str(), 1).await {
            Ok(view) => names.push((id.to_string(), view.group.display_name)),
            Err(EngineError::NotFound { .. }) => names.push((id.to_string(), format!("{id} (deleted)"))),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(names)
}

async fn set(session: &Session, tenant: &TenantId, name: &str, policies: Policies) -> Result<Exit, CliError> {
    if policies.is_empty() {
        return Err(CliError::new("nothing_to_change", "no policy is named")
            .next("lockstep connection set --help lists them"));
    }
    let before = connections::find(&session.engine, tenant, name).await?;
    let after = connections::change(&session.engine, tenant, name, move |tx, tenant, settings| {
        policies.carry_out(tx, tenant, settings)
    })
    .await?;
    let changed = before.settings != after.settings;
    let text = match changed {
        true => format!("the policies of '{}' are changed; they hold from the next request on", after.name),
        false => format!("'{}' already is like that", after.name),
    };
    session.output.changed(changed, &text)?;
    Ok(Exit::Done)
}

async fn remove(session: &Session, tenant: &TenantId, name: &str, yes: bool) -> Result<Exit, CliError> {
    let found = connections::find(&session.engine, tenant, name).await?;
    if !yes {
        return Err(CliError::new("not_confirmed", format!("'{}' is not removed", found.name))
            .why("its tokens would stop working at once, and nothing would come in from this identity provider any more")
            .next(format!("lockstep connection remove {} --yes", found.name)));
    }
    let revoked = connections::remove(&session.engine, tenant, name).await?;
    let tokens = crate::output::count(revoked, "token is", "tokens are");
    session.output.changed(
        true,
        &format!("'{}' is removed and {tokens} revoked; its users and groups stay as they are", found.name),
    )?;
    Ok(Exit::Done)
}
