//! Reads the app back over plain HTTP: no connector, no planner, just GET, pages and JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error_report::CliError;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// An account, reduced to what the example files say about a user. Empty text: not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) given_name: String,
    pub(crate) family_name: String,
    pub(crate) display_name: String,
    pub(crate) title: String,
    pub(crate) user_type: String,
    pub(crate) locale: String,
    pub(crate) email: String,
    pub(crate) department: String,
    /// The userName of the account that is the manager.
    pub(crate) manager: String,
    pub(crate) active: bool,
}

/// Everything the app holds, by names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Members (userNames) by displayName.
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
    /// Names that two objects carry.
    pub(crate) duplicates: Vec<String>,
}

impl Held {
    /// All memberships.
    pub(crate) fn memberships(&self) -> usize {
        self.groups.values().map(BTreeSet::len).sum()
    }
}

/// Reads every page of users and groups.
pub(crate) async fn read(address: SocketAddr, base_path: &str, token: &str) -> Result<Held, CliError> {
    let users = pages(address, &format!("{base_path}/Users"), token).await?;
    let groups = pages(address, &format!("{base_path}/Groups"), token).await?;
    let names: BTreeMap<String, String> =
        users.iter().map(|user| (text(&user["id"]), text(&user["userName"]))).collect();
    let mut held = Held::default();
    for user in &users {
        let name = text(&user["userName"]);
        if held.accounts.insert(name.clone(), account(user, &names)).is_some() {
            held.duplicates.push(name);
        }
    }
    for group in &groups {
        let name = text(&group["displayName"]);
        let members = group["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        let unknown = || "(unknown)".to_owned();
        let members =
            members.iter().map(|member| names.get(&text(&member["value"])).cloned().unwrap_or_else(unknown));
        if held.groups.insert(name.clone(), members.collect()).is_some() {
            held.duplicates.push(name);
        }
    }
    Ok(held)
}

fn account(user: &Value, names: &BTreeMap<String, String>) -> Account {
    let emails = user["emails"].as_array().map(Vec::as_slice).unwrap_or_default();
    let work = emails.iter().find(|email| email["type"] == "work");
    let enterprise = &user[ENTERPRISE];
    Account {
        given_name: text(&user["name"]["givenName"]),
        family_name: text(&user["name"]["familyName"]),
        display_name: text(&user["displayName"]),
        title: text(&user["title"]),
        user_type: text(&user["userType"]),
        locale: text(&user["locale"]),
        email: work.map(|email| text(&email["value"])).unwrap_or_default(),
        department: text(&enterprise["department"]),
        manager: names.get(&text(&enterprise["manager"]["value"])).cloned().unwrap_or_default(),
        active: user["active"] == true,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn pages(address: SocketAddr, path: &str, token: &str) -> Result<Vec<Value>, CliError> {
    let mut all = vec![];
    loop {
        let page = get(address, &format!("{path}?startIndex={}&count=200", all.len() + 1), token).await?;
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        let (came, total) = (resources.len(), page["totalResults"].as_u64().unwrap_or(0));
        all.extend(resources);
        if all.len() as u64 == total {
            return Ok(all);
        }
        if came == 0 || all.len() as u64 > total {
            return Err(CliError::new(
                "read_back",
                format!("{path} says {total} objects, but {} came", all.len()),
            ));
        }
    }
}

/// One GET over a connection of its own (RFC 9112).
async fn get(address: SocketAddr, path: &str, token: &str) -> Result<Value, CliError> {
    let failed =
        |why: String| CliError::new("read_back", format!("GET {path} of the simulated app failed")).why(why);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = vec![];
    let read = async {
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(request.as_bytes()).await?;
        connection.read_to_end(&mut answer).await
    };
    read.await.map_err(|error| failed(error.to_string()))?;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(|| failed("no end of the headers".into()))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    if head.split_whitespace().nth(1) != Some("200") {
        return Err(failed(head.lines().next().unwrap_or_default().to_owned()));
    }
    serde_json::from_slice(&answer[end + 4..]).map_err(|error| failed(error.to_string()))
}
