//! The table of the endpoint's measurement, and what was expected of it.

use std::collections::BTreeMap;

use crate::contenders::Contender;
use crate::steps::{Half, Outcome, Row, WIDTH};

/// Everything that was measured, by size and contender.
pub type Outcomes = BTreeMap<(usize, Contender), Outcome>;

/// One table for each size, and one for what the servers used.
pub fn tables(outcomes: &Outcomes) -> String {
    let mut out = String::new();
    let sizes: std::collections::BTreeSet<usize> = outcomes.keys().map(|(size, _)| *size).collect();
    for size in sizes {
        let there: Vec<(Contender, &Outcome)> = outcomes
            .iter()
            .filter(|((users, _), _)| *users == size)
            .map(|((_, who), found)| (*who, found))
            .collect();
        table(&mut out, size, &there);
    }
    out.push_str("\n| server | users | filled, users/s | peak memory | client's share of the processor, 1 / 64 callers |\n|---|---|---|---|---|\n");
    for ((size, contender), outcome) in outcomes {
        let [one, many] = outcome.client_share;
        out.push_str(&format!(
            "| {} | {size} | {} | {} MiB | {one:.0} % / {many:.0} % |\n",
            contender.name(),
            number(outcome.fill),
            outcome.peak_mib
        ));
    }
    out
}

fn table(out: &mut String, size: usize, there: &[(Contender, &Outcome)]) {
    out.push_str(&format!("\n### {size} users\n\n| |"));
    for (contender, _) in there {
        let name = contender.name();
        out.push_str(&format!(
            " {name}, 1 caller: ms p50 / p99 | {name}, {WIDTH} callers: per s, ms p50 / p99, CPU ms each |"
        ));
    }
    out.push_str("\n|---|");
    out.push_str(&"---|---|".repeat(there.len()));
    out.push('\n');
    let longest = there.iter().max_by_key(|(_, outcome)| outcome.rows.len());
    for row in longest.iter().flat_map(|(_, outcome)| &outcome.rows) {
        out.push_str(&format!("| {} |", row.step));
        for (_, outcome) in there {
            match find(outcome, &row.step) {
                Some(row) => out.push_str(&format!(" {} | {} |", narrow(&row.narrow), wide(&row.wide))),
                None => out.push_str(" – | – |"),
            }
        }
        out.push('\n');
    }
}

fn narrow(half: &Half) -> String {
    match half.problem.as_deref() {
        None => format!("{:.2} / {:.2}", half.p50, half.p99),
        Some("no cursors") => "–".into(),
        Some(_) => "refused or wrong".into(),
    }
}

fn wide(half: &Half) -> String {
    match half.problem.as_deref() {
        None => format!("{}, {:.1} / {:.1}, {:.2}", number(half.rate), half.p50, half.p99, half.cpu_ms),
        Some("too slow") => "too slow".into(),
        Some("no cursors") => "–".into(),
        Some(_) => "refused or wrong".into(),
    }
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn find<'o>(outcome: &'o Outcome, step: &str) -> Option<&'o Row> {
    outcome.rows.iter().find(|row| row.step == step)
}

/// What was expected: a sentence with its figure, and whether it holds.
pub fn expectations(outcomes: &Outcomes) -> Vec<(String, bool)> {
    let mut found = vec![];
    for ((size, contender), outcome) in outcomes {
        if *contender != Contender::Lockstep {
            continue;
        }
        creates(&mut found, outcomes, *size, outcome);
        pages(&mut found, *size, outcome);
        groups(&mut found, *size, outcome);
        if let Some(growth) = outcome.growth_mib {
            found.push((
                format!("{size} users: a page of 1,000,000,000 costs {growth} MiB, below 32"),
                growth < 32,
            ));
        }
        if let (Some(constant), Some(get)) = (find(outcome, "a constant"), find(outcome, "GET user")) {
            let part = 100.0 * get.wide.rate / constant.wide.rate.max(1.0);
            found.push((
                format!(
                    "{size} users: GET user at {part:.0} % of a constant of the same server, at least 40 %"
                ),
                part >= 40.0,
            ));
        }
        for row in &outcome.rows {
            for half in [&row.narrow, &row.wide] {
                if let Some(problem) = &half.problem {
                    found.push((format!("{size} users: {}: {problem}", row.step), false));
                }
            }
        }
    }
    growth_with_users(&mut found, outcomes);
    found
}

fn creates(found: &mut Vec<(String, bool)>, outcomes: &Outcomes, size: usize, ours: &Outcome) {
    let other = outcomes.get(&(size, Contender::Scim2Server)).and_then(|outcome| find(outcome, "create"));
    if let (Some(mine), Some(other)) = (find(ours, "create"), other) {
        let times = mine.wide.rate / other.wide.rate.max(0.01);
        let [mine, many, alone] = [mine.wide.rate, other.wide.rate, other.narrow.rate].map(number);
        found.push((
            format!(
                "{size} users: {mine} creates/s beside {many} of scim2-server at {WIDTH} callers ({alone} at one), \
                 {times:.1} times, at least 10"
            ),
            times >= 10.0,
        ));
    }
}

fn pages(found: &mut Vec<(String, bool)>, size: usize, ours: &Outcome) {
    let (first, deep) = (find(ours, "list 100, first by cursor"), find(ours, "list 100, cursor at 90 %"));
    if let (Some(first), Some(deep)) = (first, deep) {
        let what = format!("{size} users: a deep page beside the first, by cursor");
        found.push(ratio(&what, deep.narrow.p50, first.narrow.p50));
    }
    if let Some(deep) = find(ours, "list 100, index at 90 %") {
        let took = deep.narrow.p50;
        found.push((
            format!("{size} users: a page at 90 % by index takes {took:.1} ms, below 1,000"),
            took < 1_000.0,
        ));
    }
}

fn groups(found: &mut Vec<(String, bool)>, size: usize, ours: &Outcome) {
    for (before, after) in
        [("add a member to ", ""), ("remove a member from ", ""), ("GET a group of ", " without members")]
    {
        let of_size = |row: &Row| -> Option<(usize, f64)> {
            let size = row.step.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
            Some((size, row.narrow.p50))
        };
        let sizes: BTreeMap<usize, f64> = ours.rows.iter().filter_map(of_size).collect();
        if let (Some((small, first)), Some((large, last))) = (sizes.first_key_value(), sizes.last_key_value())
            && small < large
        {
            found.push(ratio(&format!("{size} users: {before}{large}{after} beside {small}"), *last, *first));
        }
    }
}

fn growth_with_users(found: &mut Vec<(String, bool)>, outcomes: &Outcomes) {
    let ours: Vec<(usize, &Outcome)> = outcomes
        .iter()
        .filter(|((_, who), _)| *who == Contender::Lockstep)
        .map(|((size, _), outcome)| (*size, outcome))
        .collect();
    let (Some((small, first)), Some((large, last))) = (ours.first(), ours.last()) else { return };
    if small == large {
        return;
    }
    for step in ["GET user", "userName eq", "emails[type eq \"work\"].value eq"] {
        if let (Some(first), Some(last)) = (find(first, step), find(last, step)) {
            found.push(ratio(
                &format!("{step} at {large} users beside {small}"),
                last.narrow.p50,
                first.narrow.p50,
            ));
        }
    }
}

/// Held to 1.5 times; a fiftieth of a millisecond more is noise of the clock and the machine.
fn ratio(what: &str, mine: f64, bound: f64) -> (String, bool) {
    let times = mine / bound.max(0.001);
    (
        format!("{what}: {mine:.2} ms beside {bound:.2} ms, {times:.2} times, at most 1.5"),
        times <= 1.5 || mine - bound < 0.02,
    )
}
