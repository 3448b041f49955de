//! A small client that drives an app in process at times it chooses.

use serde_json::{Value, json};
use simapp::{App, Config, Fault, Reply, Request, Response};

/// An app, and the moment at which the next request arrives.
pub(crate) struct Client {
    pub(crate) app: App,
    pub(crate) now_ms: i64,
}

impl Client {
    pub(crate) fn new(config: Config) -> Self {
        Self { app: App::new(config), now_ms: 1_000_000 }
    }

    /// An app with default rules and these faults.
    pub(crate) fn with_faults(faults: &[&str]) -> Self {
        Self::new(Config { faults: faults.iter().map(|text| fault(text)).collect(), ..Config::default() })
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let request = Request::new(method, &format!("/scim/v2{path}"));
        let request = match body {
            Some(body) => request.with_json(body),
            None => request,
        };
        self.app.handle(&request, self.now_ms)
    }

    /// Sends and expects an answer; returns its status and JSON body (null when there is none).
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let response = self.answer(method, path, body);
        (response.status, response.value().unwrap_or_default())
    }

    pub(crate) fn answer(&mut self, method: &str, path: &str, body: Option<&Value>) -> Response {
        match self.send(method, path, body) {
            Reply::Answer { response, .. } => response,
            Reply::Reset { .. } => panic!("{method} {path} was reset"),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, Value) {
        self.call("GET", path, None)
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, Some(body))
    }

    pub(crate) fn patch(&mut self, path: &str, operations: &Value) -> (u16, Value) {
        self.call("PATCH", path, Some(&patch(operations)))
    }

    /// Creates a user and returns its id.
    pub(crate) fn add_user(&mut self, user_name: &str) -> String {
        let (status, body) = self.post("/Users", &user(user_name));
        assert_eq!(status, 201, "{body}");
        id(&body)
    }

    /// Creates a group and returns its id.
    pub(crate) fn add_group(&mut self, name: &str, members: &[&str]) -> String {
        let (status, body) = self.post("/Groups", &group(name, members));
        assert_eq!(status, 201, "{body}");
        id(&body)
    }

    /// What the app itself says a group's members are.
    pub(crate) fn held_members(&self, group: &str) -> Vec<String> {
        let group = self.app.group(group).expect("the group exists");
        let members = group["members"].as_array().expect("a list");
        members.iter().map(|member| member["value"].as_str().expect("an id").to_owned()).collect()
    }
}

pub(crate) fn fault(text: &str) -> Fault {
    Fault::parse(text).unwrap()
}

pub(crate) fn user(user_name: &str) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": user_name,
        "externalId": format!("ext-{user_name}"),
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": format!("{user_name}@example.com"), "type": "work", "primary": true }],
        "active": true,
    })
}

pub(crate) fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [scim::urn::GROUP], "displayName": name, "externalId": format!("ext-{name}"), "members": members })
}

pub(crate) fn patch(operations: &Value) -> Value {
    json!({ "schemas": [scim::urn::PATCH_OP], "Operations": operations })
}

pub(crate) fn id(body: &Value) -> String {
    body["id"].as_str().expect("a resource with an id").to_owned()
}
