//! The order of bulk operations: circles of references found, everything else as it was sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::bulk::{BulkMethod, BulkOperation, Group, at};
use crate::error::ScimError;
use crate::filter_lexer::shorten;

/// Which operation creates which bulk id.
pub(crate) fn creators(operations: &[BulkOperation]) -> Result<BTreeMap<&str, usize>, ScimError> {
    let mut creators = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let Some(id) = operation.bulk_id.as_deref().filter(|_| operation.method == BulkMethod::Post) else {
            continue;
        };
        if let Some(earlier) = creators.insert(id, index) {
            let detail = format!("bulkId {:?} is used by Operations[{earlier}] too", shorten(id));
            return Err(at(index, ScimError::invalid_value(detail)));
        }
    }
    Ok(creators)
}

pub(crate) fn order(operations: &[BulkOperation]) -> Result<Vec<Group>, ScimError> {
    let creators = creators(operations)?;
    let mut needs: Vec<BTreeSet<usize>> = Vec::with_capacity(operations.len());
    let mut unknown: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut last_on: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let mut needed = BTreeSet::new();
        for id in operation.referred() {
            match creators.get(id) {
                Some(&creator) => {
                    needed.insert(creator);
                }
                None => {
                    unknown.entry(index).or_default().insert(id.to_owned());
                }
            }
        }
        // What is done to one resource is done in the order sent.
        if operation.method != BulkMethod::Post {
            needed.extend(last_on.insert(&operation.path, index));
        }
        needs.push(needed);
    }
    let circles = Circles::find(&needs);
    Ok(sequence(&needs, &circles)
        .into_iter()
        .map(|members| Group {
            circular: members.len() > 1 || needs[members[0]].contains(&members[0]),
            unknown: members.iter().filter_map(|at| Some((*at, unknown.get(at)?.clone()))).collect(),
            operations: members,
        })
        .collect())
}

/// The circles one after the other: of those whose needs are met, always the one that was sent first.
fn sequence(needs: &[BTreeSet<usize>], circles: &Circles) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..needs.len() {
        members.entry(circles.of[index]).or_default().push(index);
    }
    let mut waiting_for: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut needed_by: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, needed) in needs.iter().enumerate() {
        let own = circles.of[index];
        for other in needed.iter().map(|at| circles.of[*at]).filter(|other| *other != own) {
            waiting_for.entry(own).or_default().insert(other);
            needed_by.entry(other).or_default().insert(own);
        }
    }
    let mut ready: BTreeSet<(usize, usize)> = members
        .iter()
        .filter(|(circle, _)| !waiting_for.contains_key(circle))
        .map(|(circle, members)| (members[0], *circle))
        .collect();
    let mut sequence = Vec::with_capacity(members.len());
    while let Some((_, circle)) = ready.pop_first() {
        for follower in needed_by.remove(&circle).unwrap_or_default() {
            let Some(open) = waiting_for.get_mut(&follower) else { continue };
            open.remove(&circle);
            if open.is_empty() {
                waiting_for.remove(&follower);
                ready.extend(members.get(&follower).map(|members| (members[0], follower)));
            }
        }
        sequence.extend(members.remove(&circle));
    }
    sequence
}

/// Tarjan's strongly connected components, with a stack of its own: a chain of references may be long.
struct Circles {
    /// The circle of each operation.
    of: Vec<usize>,
}

impl Circles {
    fn find(needs: &[BTreeSet<usize>]) -> Self {
        const UNSEEN: usize = usize::MAX;
        let edges: Vec<Vec<usize>> = needs.iter().map(|needed| needed.iter().copied().collect()).collect();
        let (mut number, mut low) = (vec![UNSEEN; needs.len()], vec![0; needs.len()]);
        let mut of = vec![UNSEEN; needs.len()];
        let (mut next, mut open) = (0, Vec::new());
        for root in 0..needs.len() {
            if number[root] != UNSEEN {
                continue;
            }
            let mut path = vec![(root, 0)];
            while let Some((node, edge)) = path.last_mut() {
                let node = *node;
                if *edge == 0 && number[node] == UNSEEN {
                    (number[node], low[node]) = (next, next);
                    next += 1;
                    open.push(node);
                }
                let target = edges[node].get(*edge).copied();
                *edge += 1;
                match target {
                    Some(target) if number[target] == UNSEEN => path.push((target, 0)),
                    // Still open: the target is on the way here.
                    Some(target) if of[target] == UNSEEN => low[node] = low[node].min(number[target]),
                    Some(_) => {}
                    None => {
                        path.pop();
                        if let Some((parent, _)) = path.last() {
                            low[*parent] = low[*parent].min(low[node]);
                        }
                        if low[node] == number[node] {
                            while let Some(member) = open.pop() {
                                of[member] = node;
                                if member == node {
                                    break;
                                }
                            }
                        }
                    }
                }
            }
        }
        Self { of }
    }
}
