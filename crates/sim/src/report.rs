//! What the runs of many seeds come to: sizes, faults by kind, violations.

use std::collections::BTreeMap;
use std::fmt;

/// What one seed came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Users at the end, deleted ones included.
    pub users: u64,
    /// Groups at the end, deleted ones included.
    pub groups: u64,
    /// Changes of the directory after the first load.
    pub changes: u64,
    /// Requests sent, reads included.
    pub requests: u64,
    /// Times that the process died.
    pub crashes: u64,
    /// Durable writes.
    pub durable_writes: u64,
    /// Times that a person approved what the guard held.
    pub approvals: u64,
    /// Subjects with an open task at the end.
    pub tasks: u64,
    /// What went wrong on purpose, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What may never happen and did.
    pub violations: Vec<String>,
    /// Hash of the trace: equal for equal seeds (I17).
    pub hash: u64,
    /// The trace, if it was asked for.
    pub lines: Vec<String>,
}

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One by one, in their order.
    pub seeds: Vec<SeedReport>,
}

impl Report {
    /// Faults of all seeds by kind.
    pub fn faults(&self) -> BTreeMap<&str, u64> {
        let mut faults = BTreeMap::new();
        for (kind, count) in self.seeds.iter().flat_map(|seed| &seed.faults) {
            *faults.entry(kind.as_str()).or_default() += count;
        }
        faults
    }

    /// All violations with their seed.
    pub fn violations(&self) -> Vec<(u64, &str)> {
        let of = |seed: &'_ SeedReport| seed.seed;
        self.seeds
            .iter()
            .flat_map(|seed| seed.violations.iter().map(move |text| (of(seed), text.as_str())))
            .collect()
    }

    /// Median of a figure over the seeds.
    pub fn median(&self, figure: impl Fn(&SeedReport) -> u64) -> u64 {
        let mut all: Vec<u64> = self.seeds.iter().map(figure).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    }

    fn spread(&self, figure: impl Fn(&SeedReport) -> u64 + Copy) -> String {
        let most = self.seeds.iter().map(figure).max().unwrap_or(0);
        format!("{}/{most}", self.median(figure))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = |figure: fn(&SeedReport) -> u64| self.seeds.iter().map(figure).sum::<u64>();
        writeln!(f, "{} seeds; median/most per seed:", self.seeds.len())?;
        writeln!(
            f,
            "  users {}  groups {}  changes {}  requests {}  crashes {}  durable writes {}",
            self.spread(|seed| seed.users),
            self.spread(|seed| seed.groups),
            self.spread(|seed| seed.changes),
            self.spread(|seed| seed.requests),
            self.spread(|seed| seed.crashes),
            self.spread(|seed| seed.durable_writes),
        )?;
        writeln!(
            f,
            "  in all: requests {}  approvals {}  open tasks {}",
            total(|seed| seed.requests),
            total(|seed| seed.approvals),
            total(|seed| seed.tasks)
        )?;
        let faults: Vec<String> =
            self.faults().iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        writeln!(f, "  faults: {}", faults.join("  "))?;
        let violations = self.violations();
        writeln!(f, "  violations: {}", violations.len())?;
        for (seed, text) in violations.iter().take(40) {
            writeln!(f, "    seed {seed}: {text}")?;
        }
        Ok(())
    }
}
