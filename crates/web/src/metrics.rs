//! Figures for Prometheus: requests by route, method and status, time spent, the SCIM log and the store.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use store::Stats;

/// What was counted since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Key, Figures>>,
}

/// Route, method and status.
type Key = (&'static str, &'static str, u16);

#[derive(Clone, Copy, Default)]
struct Figures {
    count: u64,
    micros: u64,
}

impl Metrics {
    pub(crate) fn count(&self, route: &'static str, method: &'static str, status: u16, micros: u64) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = requests.entry((route, method, status)).or_default();
        figures.count += 1;
        figures.micros = figures.micros.saturating_add(micros);
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn text(&self, store: Stats, log_dropped: u64) -> String {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, String)]| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let labels = |(route, method, status): &Key| {
            format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
        };
        let counts: Vec<_> =
            requests.iter().map(|(key, figures)| (labels(key), figures.count.to_string())).collect();
        family("lockstep_http_requests_total", "counter", "Requests answered.", &counts);
        let seconds = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let times: Vec<_> =
            requests.iter().map(|(key, figures)| (labels(key), seconds(figures.micros))).collect();
        family("lockstep_http_request_seconds_total", "counter", "Time spent on requests.", &times);
        let one = |value: u64| vec![(String::new(), value.to_string())];
        family(
            "lockstep_store_commits_total",
            "counter",
            "Write transactions committed.",
            &one(store.commits),
        );
        family("lockstep_store_repeated_total", "counter", "Transactions repeated.", &one(store.repeated));
        family("lockstep_store_panics_total", "counter", "Jobs that panicked.", &one(store.panicked));
        family(
            "lockstep_scim_log_dropped_total",
            "counter",
            "Exchanges that were not logged because the log's queue was full.",
            &one(log_dropped),
        );
        out
    }
}
