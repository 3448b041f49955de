//! Bulk requests (RFC 7644 section 3.7): each operation is a transaction of its own; references by bulkId may be circular.

use std::collections::{BTreeMap, BTreeSet};

use scim::bulk::{BulkMethod, BulkOperation, BulkRequest, Group};
use scim::query::Projection;
use scim::{ScimError, urn};
use serde_json::{Value, json};

use super::reply::{Reply, with_trace};
use super::{Call, Kind, MAX_BULK_OPERATIONS, Operation, Request};
use crate::{Engine, EngineError};

/// Carries out a bulk request.
pub(super) async fn run(engine: &Engine, call: &Call, body: &Value) -> Reply {
    let request = match BulkRequest::from_json(body, MAX_BULK_OPERATIONS) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    let mut run = Run { engine, call, ids: BTreeMap::new(), notes: Reply::default() };
    let results = run.all(&request).await;
    Reply {
        status: 200,
        body: Some(json!({"schemas": [urn::BULK_RESPONSE], "Operations": results})),
        ..run.notes
    }
}

struct Run<'a> {
    engine: &'a Engine,
    call: &'a Call,
    /// What each bulkId became.
    ids: BTreeMap<String, String>,
    notes: Reply,
}

impl Run<'_> {
    /// In the order that references ask for; the answers come in the order of the request.
    async fn all(&mut self, request: &BulkRequest) -> Vec<Value> {
        let order = match scim::bulk::order(&request.operations) {
            Ok(order) => order,
            Err(error) => {
                return request.operations.iter().take(1).map(|first| self.failed(first, &error)).collect();
            }
        };
        let mut answers: BTreeMap<usize, Value> = BTreeMap::new();
        let mut errors = 0_u64;
        for step in order {
            for (at, answer) in self.step(request, &step).await {
                errors += u64::from(is_error(&answer));
                answers.insert(at, answer);
            }
            if request.fail_on_errors.is_some_and(|limit| limit > 0 && errors >= limit) {
                break;
            }
        }
        answers.into_values().collect()
    }

    /// One operation, or several that refer to each other: those are made without what is not there yet, and then completed.
    async fn step(&mut self, request: &BulkRequest, step: &Group) -> Vec<(usize, Value)> {
        let mut answers = vec![];
        let mut later = vec![];
        for &at in &step.operations {
            let operation = &request.operations[at];
            let resolved = operation.resolved(&self.ids);
            let open = resolved.references();
            if open.is_empty() {
                answers.push((at, self.one(operation, &resolved).await));
            } else if step.circular && operation.method == BulkMethod::Post && !step.unknown.contains_key(&at)
            {
                let data = resolved.data.clone().unwrap_or(Value::Null);
                let (now, rest) = scim::bulk::postpone(&data, &self.ids);
                let first = BulkOperation { data: Some(now), ..resolved };
                answers.push((at, self.one(operation, &first).await));
                later.extend(rest.map(|rest| (at, rest)));
            } else {
                answers.push((at, self.failed(operation, &unresolved(&open))));
            }
        }
        for (at, rest) in later {
            let Some((_, answer)) = answers.iter_mut().find(|(other, _)| *other == at) else { continue };
            if is_error(answer) {
                continue;
            }
            match self.complete(&request.operations[at], &rest).await {
                Ok(version) => answer["version"] = json!(version),
                Err(error) => *answer = self.failed(&request.operations[at], &error),
            }
        }
        answers
    }

    /// Adds what was left out once everything exists; gives the version that it has then.
    async fn complete(
        &mut self,
        operation: &BulkOperation,
        rest: &Value,
    ) -> Result<Option<String>, ScimError> {
        let rest = scim::bulk::resolve(rest, &self.ids);
        let open = scim::bulk::references(&rest);
        if !open.is_empty() {
            return Err(unresolved(&open));
        }
        let id = operation.bulk_id.as_ref().and_then(|id| self.ids.get(id)).cloned().unwrap_or_default();
        let (kind, _) = target(&operation.path)?;
        let reply = self.send(Operation::Patch(kind, id, rest), None).await;
        reply.error.map_or(Ok(reply.etag), Err)
    }

    async fn one(&mut self, operation: &BulkOperation, resolved: &BulkOperation) -> Value {
        let (kind, id) = match target(&resolved.path) {
            Ok(found) => found,
            Err(error) => return self.failed(operation, &error),
        };
        let data = resolved.data.clone().unwrap_or(Value::Null);
        let sent = match (operation.method, id) {
            (BulkMethod::Post, None) => Operation::Create(kind, data),
            (BulkMethod::Put, Some(id)) => Operation::Replace(kind, id, data),
            (BulkMethod::Patch, Some(id)) => Operation::Patch(kind, id, data),
            (BulkMethod::Delete, Some(id)) => Operation::Delete(kind, id),
            _ => {
                let error = ScimError::invalid_syntax(format!(
                    "{} {}: POST goes to /Users or /Groups, everything else to one resource of them",
                    operation.method.as_str(),
                    operation.path
                ));
                return self.failed(operation, &error);
            }
        };
        let reply = self.send(sent, operation.version.clone()).await;
        if let (Some(bulk_id), Some(object), true) =
            (&operation.bulk_id, &reply.object, reply.error.is_none())
        {
            self.ids.insert(bulk_id.clone(), object.id.clone());
        }
        self.answer(operation, &reply)
    }

    async fn send(&mut self, operation: Operation, if_match: Option<String>) -> Reply {
        let request = Request { operation, if_match, if_none_match: None, projection: small() };
        let done: Result<Reply, EngineError> = super::write(self.engine, self.call, request).await;
        let reply = done.unwrap_or_else(|error| Reply::failed(&error));
        self.notes.tolerated.extend(reply.tolerated.iter().cloned());
        self.notes.confirmed.extend(reply.confirmed.iter().cloned());
        self.notes.notes.extend(reply.notes.iter().cloned());
        reply
    }

    fn failed(&self, operation: &BulkOperation, error: &ScimError) -> Value {
        let mut out = json!({
            "method": operation.method.as_str(),
            "status": error.status.to_string(),
            "response": with_trace(error, &self.call.trace).to_json(),
        });
        if let Some(id) = &operation.bulk_id {
            out["bulkId"] = json!(id);
        }
        out
    }

    fn answer(&self, operation: &BulkOperation, reply: &Reply) -> Value {
        let base = &self.call.caller.base;
        if let Some(error) = &reply.error {
            let mut out = self.failed(operation, error);
            if operation.method != BulkMethod::Post {
                out["location"] = json!(format!("{base}{}", operation.path));
            }
            return out;
        }
        let location = reply.location.clone().or_else(|| {
            let object = reply.object.as_ref()?;
            Some(format!("{base}{}/{}", self.call.type_of(object.kind).endpoint, object.id))
        });
        let mut out = json!({"method": operation.method.as_str(), "status": reply.status.to_string()});
        if let Some(id) = &operation.bulk_id {
            out["bulkId"] = json!(id);
        }
        if let Some(location) = location {
            out["location"] = json!(location);
        }
        if let Some(version) = &reply.etag {
            out["version"] = json!(version);
        }
        out
    }
}

/// A bulk answer shows no resources, so none is built.
fn small() -> Projection {
    Projection { attributes: vec![scim::AttrPath::attribute("id")], excluded: vec![] }
}

fn target(path: &str) -> Result<(Kind, Option<String>), ScimError> {
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let kind = match parts.next().unwrap_or_default() {
        "Users" => Kind::User,
        "Groups" => Kind::Group,
        other => {
            return Err(ScimError::invalid_path(format!("{other:?} is no endpoint: use /Users or /Groups")));
        }
    };
    match (parts.next().filter(|id| !id.is_empty()), parts.next()) {
        (id, None) => Ok((kind, id.map(str::to_owned))),
        _ => Err(ScimError::invalid_path(format!("{path:?} is longer than a resource's path"))),
    }
}

fn unresolved(open: &BTreeSet<String>) -> ScimError {
    let names: Vec<&str> = open.iter().map(String::as_str).collect();
    ScimError::new(409, None, format!("no operation made the bulkId {}", names.join(", ")))
}

fn is_error(answer: &Value) -> bool {
    answer.get("response").is_some()
}
