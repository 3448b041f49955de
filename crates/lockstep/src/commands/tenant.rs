//! `tenant`: create and list isolated customers, and the limit on their active users.

use clap::Subcommand;
use domain::seats::SeatUse;
use engine::seats::{self, TenantView};
use engine::tenants;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error_report::{CliError, Exit};
use crate::output::{note, pairs, time};
use crate::session::Session;

/// Create and list tenants; their limit on active users
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a tenant; the first one makes the database
    #[command(after_help = "Example:\n  lockstep tenant create acme")]
    Create {
        /// Letters, digits and hyphens
        name: String,
    },
    /// List the tenants
    #[command(after_help = "Example:\n  lockstep tenant list")]
    List,
    /// Show a tenant: users, and seats in use
    #[command(after_help = "Example:\n  lockstep tenant show acme")]
    Show {
        /// The tenant; the only one, or that of --tenant, if left out
        name: Option<String>,
    },
    /// Limit how many users may be active
    #[command(
        after_help = "Example:\n  lockstep tenant set acme --seats 250\n\nOnly what takes a seat is refused: creating or reactivating an active user. \
Inactive users and deactivations always pass."
    )]
    Set {
        /// The tenant; the only one, or that of --tenant, if left out
        name: Option<String>,
        /// Active users at most, or none for no limit
        #[arg(long, value_name = "N|none", value_parser = parse_limit)]
        seats: Limit,
    },
}

/// A limit as it is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(Option<i64>);

fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        _ => match text.parse() {
            Ok(limit) if limit >= 0 => Ok(Limit(Some(limit))),
            _ => Err("write a number, 0 or more, or none".into()),
        },
    }
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Create { name } => {
            let session = Session::open(global, true)?;
            let tenant = tenants::create(&session.engine, &name).await?;
            let value = json!({"id": tenant.id.as_str(), "name": tenant.name});
            session.output.show(&value, || {
                format!(
                    "tenant '{}' is created; load its directory with: lockstep directory load USERS.csv",
                    tenant.name
                )
            })?;
        }
        Command::List => {
            let session = Session::open(global, false)?;
            let all = tenants::list(&session.engine).await?;
            let values: Vec<Value> = all
                .iter()
                .map(|tenant| json!({"id": tenant.id.as_str(), "name": tenant.name, "created_ms": tenant.created_ms}))
                .collect();
            let rows = all.into_iter().map(|t| vec![t.name, time(t.created_ms), t.id.to_string()]).collect();
            session.output.list(&values, &["name", "created", "id"], rows)?;
        }
        Command::Show { name } => show(&Session::open(global, false)?, global, name.as_deref()).await?,
        Command::Set { name, seats } => {
            set(&Session::open(global, false)?, global, name.as_deref(), seats.0).await?;
        }
    }
    Ok(Exit::Done)
}

async fn show(session: &Session, global: &Global, name: Option<&str>) -> Result<(), CliError> {
    let tenant = tenants::resolve(&session.engine, name.or(global.tenant.as_deref())).await?;
    let view = seats::show(&session.engine, tenant).await?;
    session.output.show(&view_as_json(&view), || {
        pairs(&[
            ("name", view.tenant.name.clone()),
            ("id", view.tenant.id.to_string()),
            ("created", time(view.tenant.created_ms)),
            ("users", view.users.to_string()),
            ("active", view.active.to_string()),
            (
                "seats",
                view.seats.map_or_else(
                    || "no limit".into(),
                    |seats| format!("{} of {} used ({} %)", seats.used, seats.limit, seats.percent()),
                ),
            ),
        ])
    })?;
    warn(view.seats, &view.tenant.name);
    Ok(())
}

async fn set(
    session: &Session,
    global: &Global,
    name: Option<&str>,
    limit: Option<i64>,
) -> Result<(), CliError> {
    let tenant = tenants::resolve(&session.engine, name.or(global.tenant.as_deref())).await?;
    let (before, after) = seats::set(&session.engine, &tenant.id, limit).await?;
    let changed = before.map(|seats| seats.limit) != after.map(|seats| seats.limit);
    let text = match after {
        Some(seats) => {
            format!("'{}' has {} seats, of which {} are used", tenant.name, seats.limit, seats.used)
        }
        None => format!("'{}' has no limit on seats", tenant.name),
    };
    session.output.changed(changed, &text)?;
    warn(after, &tenant.name);
    Ok(())
}

/// Says how full a tenant is where somebody should know.
fn warn(seats: Option<SeatUse>, tenant: &str) {
    let Some(seats) = seats else { return };
    if seats.used > seats.limit {
        note(&format!(
            "warning: '{tenant}' has more active users than seats; nobody is deactivated, but nobody else becomes active"
        ));
    } else if let Some(mark) = seats.warns_at() {
        note(&format!(
            "warning: {mark} % of the seats or more are used; raise the limit with lockstep tenant set {tenant} --seats N"
        ));
    }
}

fn view_as_json(view: &TenantView) -> Value {
    let seats = view.seats.map(|seats| {
        json!({"limit": seats.limit, "used": seats.used, "percent": seats.percent(), "warns_at": seats.warns_at()})
    });
    json!({"id": view.tenant.id.as_str(), "name": view.tenant.name, "created_ms": view.tenant.created_ms,
        "users": view.users, "active": view.active, "seats": seats})
}
