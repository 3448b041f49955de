//! Inspection and hand edits over HTTP under `/_sim/`, without credentials; the server offers it on loopback only.
//!
//! `GET /_sim/state`, `/_sim/seen`, `/_sim/log`, `/_sim/faults`; `POST /_sim/faults` with `set`, `add`, `remove`, `on`
//! or `off`; `POST /_sim/edit` with one edit or a list of them; `POST /_sim/reset` empties the counters.

use crate::app::App;
use crate::faults::{Fault, FaultError};
use crate::inspect::EditError;
use crate::wire::{Reply, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where this interface starts.
pub(crate) const PREFIX: &str = "/_sim/";

/// One edit by hand. Users and groups are given by id or by name.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Edit {
    DeleteUser {
        user: String,
    },
    DeleteGroup {
        group: String,
    },
    #[serde(rename_all = "camelCase")]
    RenameGroup {
        group: String,
        display_name: String,
    },
    SetUser {
        user: String,
        path: String,
        value: Value,
    },
    AddMember {
        group: String,
        member: String,
    },
    RemoveMember {
        group: String,
        member: String,
    },
    SetToken {
        token: Option<String>,
    },
}

/// A change of the loaded faults; the parts apply in this order.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FaultChange {
    set: Option<Vec<String>>,
    add: Vec<String>,
    remove: Vec<String>,
    on: Vec<String>,
    off: Vec<String>,
}

impl App {
    /// Answers a request under `/_sim/`; `None` for all others.
    pub(crate) fn handle_admin(&mut self, request: &Request, now_ms: i64) -> Option<Reply> {
        let path = request.path.strip_prefix(PREFIX)?;
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let answer = match (request.method.as_str(), path) {
            ("GET", "state") => {
                Ok(json!({ "users": self.users(), "groups": self.groups(), "faults": self.faults() }))
            }
            ("GET", "seen") => Ok(json!(self.seen())),
            ("GET", "log") => Ok(json!(self.recent_requests().collect::<Vec<_>>())),
            ("GET", "faults") => Ok(json!(self.faults())),
            ("POST", "faults") => self.change_faults(&request.body),
            ("POST", "edit") => self.edit(&request.body, now_ms),
            ("POST", "reset") => {
                self.reset_seen();
                Ok(json!({}))
            }
            _ => Err((404, "there are GET state, seen, log, faults and POST faults, edit, reset".to_owned())),
        };
        let response = match answer {
            Ok(body) => Response { headers: Vec::new(), ..Response::json(200, &body) },
            Err((status, message)) => {
                Response { headers: Vec::new(), ..Response::json(status, &json!({ "error": message })) }
            }
        };
        Some(Reply::at_once(response.with_header("content-type", "application/json")))
    }

    fn change_faults(&mut self, body: &[u8]) -> Result<Value, (u16, String)> {
        let change: FaultChange = serde_json::from_slice(body).map_err(refuse)?;
        let parse = |texts: Vec<String>| {
            texts.iter().map(|text| Fault::parse(text)).collect::<Result<Vec<_>, FaultError>>()
        };
        // Everything is parsed before anything changes.
        let set = change.set.map(parse).transpose().map_err(refuse)?;
        let add = parse(change.add).map_err(refuse)?;
        if let Some(faults) = set {
            self.set_faults(faults);
        }
        add.into_iter().for_each(|fault| self.add_fault(fault));
        for name in &change.remove {
            self.remove_fault(name).map_err(refuse_edit)?;
        }
        for name in &change.on {
            self.switch_fault(name, true).map_err(refuse_edit)?;
        }
        for name in &change.off {
            self.switch_fault(name, false).map_err(refuse_edit)?;
        }
        Ok(json!(self.faults()))
    }

    fn edit(&mut self, body: &[u8], now_ms: i64) -> Result<Value, (u16, String)> {
        let body: Value = serde_json::from_slice(body).map_err(refuse)?;
        let edits = if let Value::Array(list) = body { list } else { vec![body] };
        let edits: Vec<Edit> =
            edits.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map_err(refuse)?;
        let count = edits.len();
        for edit in edits {
            self.apply_edit(edit, now_ms).map_err(refuse_edit)?;
        }
        Ok(json!({ "edits": count }))
    }

    fn apply_edit(&mut self, edit: Edit, now_ms: i64) -> Result<(), EditError> {
        match edit {
            Edit::DeleteUser { user } => self.delete_user(&user, now_ms),
            Edit::DeleteGroup { group } => self.delete_group(&group, now_ms),
            Edit::RenameGroup { group, display_name } => self.rename_group(&group, &display_name, now_ms),
            Edit::SetUser { user, path, value } => self.set_user(&user, &path, value, now_ms),
            Edit::AddMember { group, member } => self.add_member(&group, &member, now_ms),
            Edit::RemoveMember { group, member } => self.remove_member(&group, &member, now_ms),
            Edit::SetToken { token } => {
                self.set_token(token);
                Ok(())
            }
        }
    }
}

fn refuse(error: impl std::fmt::Display) -> (u16, String) {
    (400, error.to_string())
}

fn refuse_edit(error: EditError) -> (u16, String) {
    let status = if matches!(error, EditError::NotFound { .. }) { 404 } else { 400 };
    (status, error.to_string())
}
