//! Fuzz targets: functions that take any bytes and panic when a promise of the product is broken.
//!
//! Each target has its entry point for libFuzzer in `fuzz/fuzz_targets`; the program `fuzz-run` drives the same functions
//! with generated and mutated inputs where there is no libFuzzer. Fields of an input are separated by NUL. Deliberately
//! absent: I/O and clocks, which belong to whoever drives a target; and answers of our own to compare with, since a
//! target states what holds for every input.

pub mod bulk;
pub mod csv;
pub mod dialect;
mod endpoint_world;
pub mod expression;
pub mod filter;
pub mod grammar;
mod grammars;
pub mod large;
pub mod mutate;
pub mod outcome;
mod parts;
pub mod patch;
pub mod path;
pub mod query;
pub mod random;
pub mod request;
pub mod resource;
pub mod retry_after;
pub mod slowest;

pub use grammar::Grammar;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name; its seeds are in `fuzz/corpus/NAME`.
    pub name: &'static str,
    /// Panics if a promise is broken for these bytes.
    pub run: fn(&[u8]),
    /// How inputs that get past the first check are made.
    pub grammar: Grammar,
}

/// Every target.
pub const ALL: [Target; 12] = [
    Target { name: "filter", run: filter::filter, grammar: grammars::FILTER },
    Target { name: "path", run: path::path, grammar: grammars::PATH },
    Target { name: "patch", run: patch::patch, grammar: grammars::PATCH },
    Target { name: "resource", run: resource::resource, grammar: grammars::RESOURCE },
    Target { name: "dialect", run: dialect::dialect, grammar: grammars::DIALECT },
    Target { name: "query", run: query::query, grammar: grammars::QUERY },
    Target { name: "bulk", run: bulk::bulk, grammar: grammars::BULK },
    Target { name: "request", run: request::request, grammar: grammars::REQUEST },
    Target { name: "csv", run: csv::csv, grammar: grammars::CSV },
    Target { name: "retry_after", run: retry_after::retry_after, grammar: grammars::RETRY_AFTER },
    Target { name: "expression", run: expression::expression, grammar: grammars::EXPRESSION },
    Target { name: "outcome", run: outcome::outcome, grammar: grammars::OUTCOME },
];

/// The target of that name.
pub fn find(name: &str) -> Option<Target> {
    ALL.into_iter().find(|target| target.name == name)
}
