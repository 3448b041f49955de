//! A dry run of a mapping over everybody: how many get a value for each attribute, who would not be mapped, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::desired::{Desired, desired};
use domain::ids::{AppId, Subject, TenantId};
use domain::mapping::MappingRule;
use domain::snapshot::{CompiledApp, Entitlement, Snapshot};
use serde::Serialize;
use serde_json::Value;
use store::repo::user;

use crate::context::Engine;
use crate::error::EngineError;
use crate::snapshot::{Scope, load};

/// Users per read transaction.
const PAGE: i64 = 500;
/// Users that are named for each problem.
const NAMED: usize = 5;

/// What a mapping gives everybody. Whether somebody is assigned to the app does not matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MappingCounts {
    /// Active users of the directory.
    pub users: usize,
    /// Those for whom the scope filter does not hold.
    pub out_of_scope: usize,
    /// Those who get every attribute that has a value.
    pub mapped: usize,
    /// Those whose account cannot be made, because a rule fails.
    pub failed: usize,
    /// By app attribute: counts over those who are mapped.
    pub attributes: BTreeMap<String, AttributeCounts>,
    /// What fails, the most frequent first.
    pub problems: Vec<MappingProblem>,
}

/// What one rule gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttributeCounts {
    /// Users with a value.
    pub with_value: usize,
    /// Users without: the account should not have the attribute.
    pub empty: usize,
    /// A value that somebody gets.
    pub example: Option<Value>,
}

/// One way in which a rule fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MappingProblem {
    /// The app attribute.
    pub target: String,
    /// What is wrong and what to do.
    pub problem: String,
    /// How many users it concerns.
    pub users: usize,
    /// userNames of the first of them.
    pub examples: Vec<String>,
}

/// Evaluates the mapping of an app, or `rules` in its place, for every active user. Changes nothing.
pub async fn mapping_counts(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    rules: Option<Vec<MappingRule>>,
) -> Result<MappingCounts, EngineError> {
    let mut compiled = engine.app(tenant, app).await?;
    if let Some(rules) = rules {
        let mut changed = compiled.app.clone();
        changed.settings.mapping = rules;
        compiled = Arc::new(CompiledApp::compile(changed).map_err(|errors| {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            EngineError::Invalid(texts.join("\n"))
        })?);
    }
    let mut counts = MappingCounts::default();
    for target in compiled.mapping.targets() {
        counts.attributes.insert(target.clone(), AttributeCounts::default());
    }
    let mut problems: BTreeMap<(String, String), MappingProblem> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let scope = Scope {
            tenant: tenant.clone(),
            app: compiled.clone(),
            now_ms: engine.env.now_ms(),
            with_groups: false,
        };
        let from = after.clone();
        let page = engine.read(move |tx| page(tx, &scope, &from)).await?;
        let Some((last, _)) = page.last() else { break };
        after = last.id.clone();
        for (person, outcome) in page {
            counts.add(person, outcome, &mut problems);
        }
    }
    counts.problems = problems.into_values().collect();
    counts.problems.sort_by(|a, b| b.users.cmp(&a.users).then_with(|| a.target.cmp(&b.target)));
    Ok(counts)
}

struct Person {
    id: String,
    user_name: String,
    active: bool,
}

fn page(
    tx: &mut store::Tx<'_>,
    scope: &Scope,
    after: &str,
) -> Result<Vec<(Person, Option<Desired>)>, EngineError> {
    let mut outcomes = Vec::new();
    for user in user::list(tx, &scope.tenant, after, PAGE)? {
        let person =
            Person { id: user.id.as_str().to_owned(), user_name: user.user_name, active: user.active };
        let subject = Subject::User(user.id);
        let outcome = match load(tx, scope, &subject, 1)? {
            Some(Snapshot::User(mut snapshot)) if person.active => {
                // Whether somebody is entitled is another question.
                if snapshot.entitlements.is_empty() {
                    snapshot.entitlements.push(Entitlement::Direct);
                }
                Some(desired(&snapshot).0)
            }
            _ => None,
        };
        outcomes.push((person, outcome));
    }
    Ok(outcomes)
}

impl MappingCounts {
    fn add(
        &mut self,
        person: Person,
        outcome: Option<Desired>,
        problems: &mut BTreeMap<(String, String), MappingProblem>,
    ) {
        let Some(outcome) = outcome else { return };
        self.users += 1;
        match outcome {
            Desired::Present(values) => {
                self.mapped += 1;
                for (target, counts) in &mut self.attributes {
                    match values.get(target) {
                        Some(value) => {
                            counts.with_value += 1;
                            counts.example.get_or_insert_with(|| value.clone());
                        }
                        None => counts.empty += 1,
                    }
                }
            }
            Desired::Invalid(error) => {
                self.failed += 1;
                let key = (error.target.clone(), error.problem.clone());
                let problem = problems.entry(key).or_insert(MappingProblem {
                    target: error.target,
                    problem: error.problem,
                    users: 0,
                    examples: Vec::new(),
                });
                problem.users += 1;
                if problem.examples.len() < NAMED {
                    problem.examples.push(person.user_name);
                }
            }
            _ => self.out_of_scope += 1,
        }
    }
}
