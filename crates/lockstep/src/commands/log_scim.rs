//! `log scim`: what identity providers sent, what was answered, and what was tolerated.

use std::time::Duration;

use clap::Args;
use domain::connection::Connection;
use domain::ids::TenantId;
use engine::{audit_log, scim_log};
use serde_json::{Value, json};
use store::scim_log::{LogFilter, Recorded, ScimLogReader, StatusRange};

use crate::commands::log;
use crate::error_report::{CliError, Exit};
use crate::moment;
use crate::output::{line, note, printable, table, time};
use crate::session::Session;

/// How many records are shown unless `--limit` says otherwise.
const LIMIT: i64 = 50;

/// How often a log is looked at that is followed, and how much is read at once.
const LOOK: Duration = Duration::from_millis(200);
const PAGE: i64 = 500;

/// Which requests.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Only about this user (name, id or externalId; deleted ones too)
    #[arg(long, value_name = "USER", conflicts_with = "group")]
    user: Option<String>,
    /// Only about this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only with such an answer: 409, 4xx, or failed
    #[arg(long, value_name = "STATUS", value_parser = |text: &str| text.parse::<StatusRange>())]
    status: Option<StatusRange>,
    /// Only with this HTTP method
    #[arg(long, value_name = "METHOD", value_parser = ["GET", "POST", "PUT", "PATCH", "DELETE"], ignore_case = true)]
    method: Option<String>,
    /// Only of this connection (name or id)
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// Not older than: 10m, 1h, 7d, or a time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    since: Option<i64>,
    /// Only the request with this trace code, with its bodies and what it changed
    #[arg(long, value_name = "CODE")]
    trace: Option<String>,
    /// Go on with new requests as they come, oldest first, until stopped
    #[arg(long, conflicts_with = "trace")]
    follow: bool,
    /// How many at most (50; with --follow: without end)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: Option<i64>,
}

/// Shows the requests of a connection as they come, from its first one on; so many at most.
pub(crate) async fn watch(
    session: &Session,
    connection: &Connection,
    limit: Option<i64>,
) -> Result<Exit, CliError> {
    let arguments = Arguments {
        connection: Some(connection.id.to_string()),
        since: Some(connection.created_ms),
        follow: true,
        limit,
        ..Arguments::default()
    };
    run(session, &arguments).await
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let filter = filter(session, &tenant, arguments).await?;
    if arguments.follow {
        return follow(session, filter, arguments).await;
    }
    let found = match session.scim_log()? {
        Some(reader) => {
            warn_of_losses(&reader).await?;
            reader.newest(&filter, None, arguments.limit.unwrap_or(LIMIT)).await?
        }
        None => vec![],
    };
    if arguments.trace.is_some() {
        return show_in_full(session, &tenant, &found).await;
    }
    let values: Vec<Value> = found.iter().map(as_json).collect();
    session.output.list(&values, &HEADER, found.iter().map(row).collect())?;
    Ok(Exit::Done)
}

async fn filter(session: &Session, tenant: &TenantId, arguments: &Arguments) -> Result<LogFilter, CliError> {
    let object = match (&arguments.user, &arguments.group) {
        (Some(user), _) => Some(scim_log::about_user(&session.engine, tenant, user).await?),
        (_, Some(group)) => Some(scim_log::about_group(&session.engine, tenant, group).await?),
        _ => None,
    };
    Ok(LogFilter {
        object,
        status: arguments.status,
        method: arguments.method.as_ref().map(|method| method.to_uppercase()),
        connection: arguments.connection.clone(),
        trace: arguments.trace.as_ref().map(|trace| trace.trim().to_lowercase()),
        since_ms: arguments.since,
        bodies: session.output.is_json() || arguments.trace.is_some(),
        ..LogFilter::of(tenant)
    })
}

async fn warn_of_losses(reader: &ScimLogReader) -> Result<(), CliError> {
    let lost = reader.lost().await?;
    if lost > 0 {
        note(&format!("note: {lost} requests could not be recorded: too many at once, or the disk was full"));
    }
    Ok(())
}

/// Prints each record once, in the order in which they were recorded.
async fn follow(session: &Session, filter: LogFilter, arguments: &Arguments) -> Result<Exit, CliError> {
    let mut left = arguments.limit.unwrap_or(i64::MAX);
    let mut opened = session.scim_log()?;
    let mut after = match &opened {
        Some(reader) if filter.since_ms.is_none() => reader.head().await?,
        _ => 0,
    };
    if !session.output.is_json() {
        line(&in_columns(&HEADER.map(str::to_uppercase)))?;
    }
    loop {
        let Some(reader) = &opened else {
            // Nothing was ever recorded: the first record makes the log.
            tokio::time::sleep(LOOK).await;
            opened = session.scim_log()?;
            continue;
        };
        let page = reader.after(&filter, after, PAGE.min(left)).await?;
        after = page.upto;
        left -= page.records.len() as i64;
        for recorded in &page.records {
            let text = if session.output.is_json() {
                as_json(recorded).to_string()
            } else {
                in_columns(&row(recorded))
            };
            line(&text)?;
        }
        if left == 0 {
            return Ok(Exit::Done);
        }
        if (page.records.len() as i64) < PAGE {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The columns of [`row`].
pub(crate) const HEADER: [&str; 8] =
    ["time", "connection", "request", "status", "object", "ms", "tolerated", "trace"];

/// Widths while records are followed: what comes later is not known.
const WIDTHS: [usize; 8] = [19, 12, 44, 6, 28, 6, 20, 12];

/// One request for people.
pub(crate) fn row(recorded: &Recorded) -> Vec<String> {
    let exchange = &recorded.exchange;
    let name = if exchange.object_name.is_empty() { &exchange.object } else { &exchange.object_name };
    let mut quirks: Vec<&str> = exchange.tolerated.iter().map(|(quirk, ..)| quirk.as_str()).collect();
    quirks.dedup();
    vec![
        time(exchange.at_ms),
        exchange.connection_name.clone(),
        short(&format!("{} {}", exchange.method, exchange.path), 60),
        status(recorded),
        short(name, 40),
        format!("{:.1}", exchange.duration_us as f64 / 1_000.0),
        short(&quirks.join(","), 40),
        exchange.trace.clone(),
    ]
}

fn status(recorded: &Recorded) -> String {
    match &recorded.exchange.scim_type {
        Some(scim_type) => format!("{} {scim_type}", recorded.exchange.status),
        None => recorded.exchange.status.to_string(),
    }
}

fn in_columns(cells: &[String]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{:<width$}", printable(cell))).collect();
    padded.join("  ").trim_end().replace('\n', " ")
}

/// Long paths and names are cut in tables; JSON and `--trace` have them in full.
fn short(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        text.to_owned()
    } else {
        format!("{}...", text.chars().take(longest - 3).collect::<String>())
    }
}

/// A record for programs: named parts instead of lists.
pub(crate) fn as_json(recorded: &Recorded) -> Value {
    let exchange = &recorded.exchange;
    let tolerated: Vec<Value> = exchange
        .tolerated
        .iter()
        .map(|(quirk, place, note)| json!({"quirk": quirk, "place": place, "note": note}))
        .collect();
    let mut value = json!(recorded);
    value["tolerated"] = tolerated.into();
    value
}

async fn show_in_full(session: &Session, tenant: &TenantId, found: &[Recorded]) -> Result<Exit, CliError> {
    let mut values = vec![];
    let mut texts = vec![];
    for recorded in found {
        let exchange = &recorded.exchange;
        let caused = audit_log::of_trace(&session.engine, tenant, &exchange.trace, exchange.at_ms).await?;
        texts.push(in_full(recorded, &caused));
        let mut value = as_json(recorded);
        value["audit"] = caused.into();
        values.push(value);
    }
    session.output.show(&values, || {
        if texts.is_empty() { "no such request is in the SCIM log".into() } else { texts.join("\n\n") }
    })?;
    Ok(Exit::Done)
}

/// Everything about one request for people.
fn in_full(recorded: &Recorded, caused: &[Value]) -> String {
    let exchange = &recorded.exchange;
    let mut lines = vec![
        format!("{} UTC  {} {}", time(exchange.at_ms), exchange.method, printable(&exchange.path)),
        format!(
            "  answered    {} in {:.1} ms, trace {}",
            status(recorded),
            exchange.duration_us as f64 / 1_000.0,
            exchange.trace
        ),
        format!(
            "  from        connection '{}', token '{}', dialect {}, {}",
            exchange.connection_name,
            exchange.token_name,
            exchange.dialect,
            if exchange.user_agent.is_empty() { "no User-Agent" } else { &exchange.user_agent }
        ),
    ];
    if !exchange.object.is_empty() || !exchange.object_name.is_empty() {
        lines.push(format!(
            "  about       {} {} {}",
            exchange.object_kind, exchange.object_name, exchange.object
        ));
    }
    if let Some(detail) = &exchange.detail {
        lines.push(format!("  says        {detail}"));
    }
    for (quirk, place, note) in &exchange.tolerated {
        lines.push(format!("  tolerated   {quirk} at {place}: {note}"));
    }
    let mut shown: Vec<String> = lines.iter().map(|line| printable(line).replace('\n', " ")).collect();
    for (name, body) in [("request", &exchange.request), ("answer", &exchange.answer)] {
        let text = match body {
            Some(body) => format!("{body:#}").replace('\n', "\n    "),
            None => "(not kept)".to_owned(),
        };
        shown.push(format!("  {name}\n    {}", printable(&text)));
    }
    if !caused.is_empty() {
        let changes = table(&log::HEADER, caused.iter().map(log::row).collect());
        shown.push(format!("  changed\n    {}", changes.replace('\n', "\n    ")));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use domain::exchange::Exchange;

    use super::*;

    #[test]
    fn hostile_texts_stay_on_their_line_and_cannot_move_the_cursor() {
        let exchange = Exchange {
            user_agent: "\u{1b}[2J\r\nfake".into(),
            object_name: "a\nb\u{7}".into(),
            detail: Some("x\ny".into()),
            ..Exchange::new(&TenantId::new("t"), 0, "0", "GET", "/Users/\u{1b}[31m\n")
        };
        let recorded = Recorded { seq: 1, exchange };
        let (columns, full) = (in_columns(&row(&recorded)), in_full(&recorded, &[]));
        assert_eq!(columns.lines().count(), 1);
        assert!(!columns.contains('\u{1b}') && !full.contains('\u{1b}') && !full.contains("\nfake"));
    }
}
