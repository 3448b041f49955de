//! Connections, tokens and first logins on the command line.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use domain::exchange::Exchange;
use domain::ids::TenantId;
use serde_json::Value;
use store::Location;
use store::scim_log::{ScimLog, ScimLogOptions};

use crate::bench::{Folder, Said, now_ms};

const ISSUER: &str = "https://login.example/acme";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.ok(&["tenant", "create", "acme"]);
    folder
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    folder.ok(&[arguments, &["-o", "json"]].concat()).json()
}

fn refused(folder: &Folder, arguments: &[&str], words: &str) {
    let said = folder.run(arguments);
    assert!(said.code != 0 && said.err.contains(words), "{arguments:?}: {said:?}");
}

/// The only word of a line that looks like a token.
fn token_in(text: &str) -> &str {
    let found: Vec<&str> = text.split_whitespace().filter(|word| word.starts_with("lsk_")).collect();
    assert_eq!(found.len(), 1, "{text}");
    found[0]
}

#[test]
fn connecting_prints_what_to_type_where_and_the_token_once() {
    let folder = folder();
    let cases = [
        ("okta", "SCIM connector base URL", "Push Groups"),
        ("entra", "Tenant URL", "aadOptscim062020"),
        ("onelogin", "SCIM Bearer Token", "SCIM JSON Template"),
        ("jumpcloud", "Token Key", "Test User Email"),
        ("generic", "Base URL", "Authorization: Bearer"),
    ];
    let mut tokens = vec![];
    for (provider, field, more) in cases {
        let said =
            folder.ok(&["connection", "add", provider, provider, "--base-url", "https://scim.example.com/"]);
        assert!(
            said.out.contains("https://scim.example.com/scim/v2")
                && said.out.contains(field)
                && said.out.contains(more),
            "{}",
            said.out
        );
        tokens.push(token_in(&said.out).to_owned());
    }
    let everything = folder.ok(&["token", "list", "--all"]).out
        + &folder.ok(&["connection", "show", "okta", "--base-url", "https://scim.example.com"]).out
        + &folder.ok(&["log", "audit", "-o", "json"]).out
        + &String::from_utf8_lossy(&std::fs::read(folder.path().join("lockstep.db")).unwrap());
    for token in &tokens {
        assert!(!everything.contains(&token[17..60]), "a secret is kept nowhere");
    }
    let listed = json(&folder, &["connection", "list"]);
    let dialects: Vec<&Value> =
        listed.as_array().unwrap().iter().map(|one| &one["settings"]["dialect"]).collect();
    assert_eq!(
        dialects,
        ["entra", "auto", "auto", "okta", "auto"].map(Value::from).iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_token_alone_is_on_stdout_and_its_end_is_announced() {
    let folder = folder();
    folder.ok(&["connection", "add", "okta", "okta"]);
    let said = folder.ok(&[
        "token",
        "create",
        "--tenant",
        "acme",
        "--connection",
        "okta",
        "--name",
        "soon",
        "--expires",
        "5d",
    ]);
    assert_eq!(said.out.trim(), token_in(&said.out), "just the token");
    assert!(folder.ok(&["token", "list"]).out.contains("EXPIRES IN 5 DAYS"));
    assert!(folder.ok(&["connection", "show", "okta"]).out.contains("EXPIRES IN 5 DAYS"));
    let status = folder.ok(&["status"]).out;
    assert!(status.contains("token 'soon'") && status.contains("lockstep token rotate"), "{status}");
    let rotated = folder.ok(&["token", "rotate", "soon", "--overlap", "1h", "--expires", "2999-01-31"]);
    assert_eq!(rotated.out.trim(), token_in(&rotated.out));
    let all = json(&folder, &["token", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 3, "both work for an hour: {all}");
    refused(&folder, &["token", "revoke", "soon"], "2 tokens are called 'soon'");
    let id = all[1]["id"].as_str().unwrap();
    folder.ok(&["token", "revoke", id]);
    refused(&folder, &["token", "revoke", id], "revoked or expired already");
    refused(&folder, &["token", "create", "--scope", "admin"], "none of scim, scim:read, signin");
    refused(&folder, &["token", "create", "--expires", "yesterday"], "is no time");
    refused(&folder, &["token", "create", "--connection", "nope"], "there is no connection 'nope'");
}

#[test]
fn bad_policies_are_named_and_change_nothing() {
    let folder = folder();
    folder.ok(&["connection", "add", "entra", "entra", "--on-delete", "delete-after-30d"]);
    let before = json(&folder, &["connection", "show", "entra"]);
    for (arguments, words) in [
        (&["--include", "userType eq"][..], "include: at position"),
        (&["--exclude", "shoeSize eq \"4\""], "shoeSize"),
        (&["--required-group", "Nobody"], "there is no group 'Nobody'"),
        (&["--subject", "oid"], "CLAIM=ATTRIBUTE"),
        (&["--issuer", ISSUER, "--subject", "email=externalId"], "changes when somebody is renamed"),
        (&["--issuer", ISSUER, "--subject", "oid=userName"], "subject attribute: 'userName'"),
        (&["--subject", "oid=externalId"], "issuer"),
        (&["--issuer", ISSUER, "--create-on-first-login", "on"], "subject pair"),
        (&["--dialect", "klingon"], "no dialect"),
        (&["--on-delete", "never"], "keep-inactive"),
        (&[], "no policy is named"),
    ] {
        refused(&folder, &[&["connection", "set", "entra"], arguments].concat(), words);
    }
    assert_eq!(json(&folder, &["connection", "show", "entra"]), before);
    refused(&folder, &["connection", "add", "entra", "ENTRA"], "exists already");
    refused(&folder, &["connection", "add", "okta", "o", "--base-url", "https://my_host"], "underscore");
    refused(&folder, &["connection", "remove", "entra"], "is not removed");
    refused(&folder, &["tenant", "create", "a_b"], "letters, digits and hyphens");
}

fn signin(folder: &Folder, subject: &str, claims: &[&str], commit: bool) -> Said {
    let mut arguments = vec!["signin", "test", "--issuer", ISSUER, "--subject", subject];
    for claim in claims {
        arguments.extend(["--claim", claim]);
    }
    arguments.extend(commit.then_some("--commit"));
    folder.run(&arguments)
}

fn connected() -> Folder {
    let folder = folder();
    folder.ok(&["connection", "add", "entra", "entra", "--issuer", ISSUER, "--subject", "oid=externalId"]);
    folder
}

#[test]
fn s17_a_login_is_tied_by_the_declared_pair_and_a_changed_name_is_pending() {
    let folder = connected();
    folder.file(
        "users.jsonl",
        r#"{"userName":"ada@acme.example","externalId":"o-1","emails":[{"value":"ada@acme.example"}]}"#,
    );
    folder.ok(&["directory", "load", "users.jsonl", "--source", "connection:entra"]);
    let dry = signin(&folder, "s-1", &["oid=o-1"], false).ends(0);
    assert!(dry.out.contains("would sign in") && dry.out.contains("nothing was written"), "{}", dry.out);
    assert_eq!(folder.ok(&["log", "signin"]).out, "(none)\n");
    assert!(signin(&folder, "s-1", &["oid=o-1"], true).ends(0).out.contains("is tied to this user"));
    let renamed =
        signin(&folder, "s-1", &["oid=o-1", "preferred_username=ada.king@acme.example"], true).ends(0);
    assert!(renamed.out.contains("rename pending from the identity provider since"), "{}", renamed.out);
    assert!(signin(&folder, "s-2", &["oid=o-1"], true).ends(4).out.contains("signin.claimed"));
    assert!(folder.ok(&["signin", "show", "ada@acme.example"]).out.contains("s-1"));
    folder.ok(&["signin", "unlink", "ada@acme.example"]);
    signin(&folder, "s-2", &["oid=o-1"], true).ends(0);
    let log = json(&folder, &["log", "signin", "--user", "ada@acme.example"]);
    let outcomes: Vec<&str> =
        log.as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["linked", "refused", "known", "linked"]);
    assert_eq!(
        json(&folder, &["log", "signin", "--outcome", "refused", "--since", "1h"]).as_array().unwrap().len(),
        1
    );
}

#[test]
fn s18_a_refusal_has_a_code_that_leads_to_the_task() {
    let folder = connected();
    folder.ok(&["user", "add", "ada@acme.example", "--email", "ada@acme.example"]);
    let claims = ["oid=o-9", "email=ADA@acme.example"];
    let report = folder.run(&[
        "signin",
        "test",
        "--connection",
        "entra",
        "--subject",
        "s-9",
        "--claim",
        claims[0],
        "--claim",
        claims[1],
        "--commit",
        "-o",
        "json",
    ]);
    let report = report.ends(4).json();
    let message = report["answer"]["message"].as_str().unwrap();
    assert!(!message.to_lowercase().contains("ada") && !message.contains("o-9"), "{message}");
    let trace = report["answer"]["trace"].as_str().unwrap();
    assert!(message.contains(trace));
    let found = folder.ok(&["log", "signin", "--trace", trace]).out;
    assert!(found.contains("signin.unknown"), "{found}");
    let tasks = folder.run(&["tasks"]).ends(4).out;
    assert!(
        tasks.contains("[signin.unknown]") && tasks.contains("'entra'") && tasks.contains(trace),
        "{tasks}"
    );
    assert!(
        tasks.contains("\"by\":\"userName\"") && tasks.contains("ada@acme.example"),
        "who is close: {tasks}"
    );

    folder.ok(&["connection", "set", "entra", "--create-on-first-login", "on"]);
    assert!(signin(&folder, "s-9", &claims, true).ends(4).out.contains("signin.looks_like"));
    let tasks = folder.run(&["tasks"]).ends(4).out;
    let link = format!("lockstep signin link ada@acme.example --issuer {ISSUER} --subject s-9");
    assert!(tasks.contains(&link), "a fix that can be run as it is: {tasks}");
    let other = signin(&folder, "s-8", &["oid=o-8", "email=bob@acme.example"], true).ends(0).out;
    assert!(other.contains("'bob@acme.example' is made and signs in"), "{other}");
    assert_eq!(json(&folder, &["user", "show", "bob@acme.example"])["source"], "connection:entra");
    folder.ok(&link.split(' ').skip(1).collect::<Vec<_>>());
    signin(&folder, "s-9", &claims, true).ends(0);
    assert_eq!(folder.ok(&["tasks"]).out, "no open tasks\n");
}

#[test]
fn s20_an_export_is_compared_and_each_lack_has_its_step() {
    let folder = folder();
    folder.ok(&["connection", "add", "okta", "okta"]);
    folder.file("here.csv", "userName,title\nada@x.example,Engineer\nbob@x.example,Engineer\n");
    folder.ok(&["directory", "load", "here.csv", "--source", "connection:okta"]);
    folder.file("okta.csv", "login,title\nada@x.example,Engineer\nbob@x.example,Chief\nnew@x.example,\n");
    let said = folder.run(&["connection", "compare", "okta.csv"]).ends(4).out;
    for words in
        ["title: 'Chief' there, 'Engineer' here", "new@x.example", "missing", "Force Sync", "assign it again"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    folder.file("same.csv", "login,title\nada@x.example,Engineer\n");
    let said = folder.ok(&["connection", "compare", "same.csv"]).out;
    assert!(
        said.contains("nothing is missing") && said.contains("1 active user of 'okta' is not in the file"),
        "{said}"
    );
    folder.ok(&["connection", "add", "entra", "entra"]);
    refused(&folder, &["connection", "compare", "same.csv"], "there are 2 connections");
    refused(&folder, &["connection", "compare", "none.csv", "--connection", "okta"], "none.csv");
}

#[test]
fn waiting_shows_the_calls_of_the_new_connection_only() {
    let folder = folder();
    let mut child = folder
        .command()
        .args(["connection", "add", "okta", "okta", "--wait=1", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let shown: String = lines.by_ref().take_while(|line| line != "}").collect();
    let added: Value = serde_json::from_str(&format!("{shown}}}")).unwrap();
    let tenant = json(&folder, &["tenant", "list"])[0]["id"].as_str().unwrap().to_owned();
    let location = Location::Sqlite(folder.path().join("lockstep.db"));
    let log =
        ScimLog::open(&location, ScimLogOptions { gather_ms: 2, ..ScimLogOptions::new(now_ms) }).unwrap();
    let call = |trace: &str, connection: &str| Exchange {
        status: 200,
        connection: connection.into(),
        ..Exchange::new(&TenantId::new(tenant.as_str()), now_ms(), trace, "GET", "/Users")
    };
    log.record(call("00000000000a", "another"));
    log.record(call("00000000000b", added["connection"]["id"].as_str().unwrap()));
    futures::executor::block_on(log.flush());
    let first = lines.next().unwrap();
    assert!(first.contains("00000000000b"), "{first}");
    assert!(child.wait().unwrap().success());
}
