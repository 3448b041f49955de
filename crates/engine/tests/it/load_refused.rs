//! Bad input to `directory load`: the exact message, and nothing changed.

use engine::EngineError;
use engine::load::{LoadFile, LoadRequest};

use crate::load::{GROUPS, MEMBERS, USERS, csv, run};
use crate::world::World;

/// What a load says after the line with the number of problems; checks that it changed nothing.
fn refusal(request: LoadRequest) -> Vec<String> {
    let world = World::inline();
    run(&world, csv(USERS, GROUPS, MEMBERS)).unwrap();
    let before = (world.dump(), world.traces());
    let error = run(&world, request).unwrap_err();
    assert!(matches!(error, EngineError::Invalid(_)), "{error}");
    assert_eq!((world.dump(), world.traces()), before);
    let text = error.to_string();
    text.strip_prefix("nothing was loaded, because of ")
        .expect(&text)
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect()
}

fn users(text: impl Into<Vec<u8>>) -> LoadRequest {
    LoadRequest { users: Some(LoadFile::new("users.csv", text)), ..LoadRequest::default() }
}

fn members(text: &str) -> LoadRequest {
    csv("", "", text)
}

#[test]
fn broken_files() {
    let cut = "it is cut off: export it again";
    for (bytes, message) in [
        (
            b"userName,title\nann,\"Dr\nbob,x\n".to_vec(),
            "users.csv:2:5: a quote is opened and never closed; close it, or write a quote that belongs to the value \
             twice; if the file is cut off, export it again"
                .to_owned(),
        ),
        (
            b"userName,title\nann,Dr,x\n".to_vec(),
            "users.csv:2: the row has 3 columns, the header has 2; put values that hold a comma in quotes, or add what \
             is missing"
                .to_owned(),
        ),
        (
            b"userName,title\nann,Dr\nbob".to_vec(),
            format!("users.csv:3: the file ends in the middle of a row (1 of 2 columns); {cut}"),
        ),
        (
            b"userName\nann\nJ\xFCrgen\n".to_vec(),
            "users.csv:3:2: not UTF-8; save the file as UTF-8 (it may be Latin-1 or Windows-1252)".to_owned(),
        ),
        (b"userName\nann\nJ\xC3".to_vec(), format!("users.csv:3:2: the file ends in the middle of a character; {cut}")),
        (b"\xFF\xFEu\0".to_vec(), "users.csv: the file is UTF-16; save it as UTF-8".to_owned()),
        (
            b"userName\nan\0n\n".to_vec(),
            "users.csv:2:3: a NUL character; no text file has one: export it again".to_owned(),
        ),
        (Vec::new(), "users.csv: the file is empty; its first line must name the columns".to_owned()),
        (
            b"userName;title\nann;Dr\n".to_vec(),
            "users.csv:1: the columns are separated by ';'; save the file with commas".to_owned(),
        ),
        (
            [b"userName\nann\n".to_vec(), vec![b'x'; 10_000_000]].concat(),
            "users.csv:3: the row is longer than 1 MiB; check that every row ends with a line end".to_owned(),
        ),
    ] {
        assert_eq!(refusal(users(bytes)), [message]);
    }
}

#[test]
fn broken_json_lines() {
    let request = |text: &str| LoadRequest {
        users: Some(LoadFile::new("users.jsonl", text)),
        ..LoadRequest::default()
    };
    assert_eq!(
        refusal(request("{\"userName\": \"a\"}\n[1]\n{\"userName\" 1}\n{\"userName\": \"b\", \"tit")),
        [
            "users.jsonl:2: the line is not a JSON object; write one object a line: {\"userName\": …}",
            "users.jsonl:3:13: not JSON; write one object a line, names and texts in double quotes",
            "users.jsonl:4: the object is not closed; write one object a line; if the file is cut off, export it again",
        ]
    );
    assert_eq!(
        refusal(request("{\"userName\": \"a\", \"active\": \"yes\"}\n{\"userName\": \"b\", \"shoe\": 1}")),
        [
            "users.jsonl:1: active must be a boolean, not a text of 3 characters; correct the value",
            "users.jsonl:2: shoe is unknown to the schema; correct the value",
        ]
    );
    let unnamed = LoadRequest { users: Some(LoadFile::new("users", "x")), ..LoadRequest::default() };
    assert_eq!(refusal(unnamed), ["users: the ending does not tell the format; name it .csv or .jsonl"]);
}

#[test]
fn columns_and_values() {
    assert_eq!(
        refusal(users("userName,departement,id,title,TITLE\nann,x,x,x,x\n")),
        [
            "users.csv:1: column 'departement' is no attribute of a User; the nearest known is \
             urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department; rename the column, map it with \
             --map 'departement=PATH', or leave it out with --map 'departement='",
            "users.csv:1: column 'id' is set by the directory and cannot be given; leave it out; rename the column, map \
             it with --map 'id=PATH', or leave it out with --map 'id='",
            "users.csv:1: columns 'title' and 'TITLE' are the same attribute; remove one of them",
        ]
    );
    assert_eq!(
        refusal(users("userName,active\nnew,yes\n,true\n")),
        [
            "users.csv:3: the row has neither externalId nor userName; give it one of them: it says which object is meant"
        ]
    );
    assert_eq!(
        refusal(users("userName,active\nnew,yes\n")),
        ["users.csv:2: active must be true or false, not 'yes'; correct the value"]
    );
    assert_eq!(
        refusal(users("externalId,title\nE77,x\n")),
        ["users.csv:2: userName is required; correct the value"]
    );
    let mapped = LoadRequest { map: vec![("Login".into(), "userName".into())], ..users("userName\nnew\n") };
    assert_eq!(
        refusal(mapped),
        ["--map: no file has a column 'Login'; use a column's name as the file has it"]
    );
}

#[test]
fn keys_that_clash() {
    let apart = "letter case does not tell them apart: remove or correct one of the rows";
    assert_eq!(
        refusal(users("externalId,userName\nN1,new\nN2,NEW\nn1,other\n")),
        [
            format!("users.csv:3: userName 'NEW' is already in line 2; {apart}"),
            format!("users.csv:4: externalId 'n1' is already in line 2; {apart}"),
        ]
    );
    let world = World::inline();
    run(&world, csv(USERS, "", "")).unwrap();
    let id = world.user("E2").id;
    let error = run(&world, users("externalId,userName\nE1,BOB@x\n")).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "nothing was loaded, because of 1 problem:\n  users.csv:2: userName 'BOB@x' is already used by user 'bob@x' \
             ({id}); correct the value, or rename that one in the same load"
        )
    );
    assert_eq!(
        refusal(users("externalId,userName\nE1,\n,ann@x\n")),
        ["users.csv:2: userName is required; correct the value",]
    );
    assert_eq!(
        refusal(users("externalId,userName\nE1,renamed\n,ann@x\n")),
        [
            "users.csv:3: the row means the same user as line 2; remove one of the rows, or correct its externalId"
        ]
    );
}

#[test]
fn members_that_do_not_fit() {
    assert_eq!(
        refusal(members("group,member\nTeam,nobody\nNowhere,E1\nTeam,\n")),
        ["members.csv:4: the row does not name a group and a member; fill in both, or remove the row"]
    );
    let next = "correct it, or add it to the users or groups file";
    assert_eq!(
        refusal(members("group,member\nTeam,nobody\nNowhere,E1\n")),
        [
            format!("members.csv:2: there is no user or group 'nobody'; {next}"),
            format!("members.csv:3: there is no group 'Nowhere'; {next}"),
        ]
    );
    let leave_out = "leave out one of these memberships";
    assert_eq!(
        refusal(members("group,member\nTeam,All\n")),
        [format!("members.csv:2: a group cannot be a member of itself: Team > All > Team; {leave_out}")]
    );
    assert_eq!(
        refusal(csv("", "displayName\nA\nB\n", "group,member\nA,B\nB,Team\nAll,A\nTeam,B\n")),
        [format!("members.csv:3: a group cannot be a member of itself: B > Team > B; {leave_out}")]
    );
    assert_eq!(
        refusal(members("group,user\nTeam,E1\n")),
        [
            "members.csv:1: column 'user' is not one of a members file; it has the columns group,member, each once",
            "members.csv:1: the columns group and member are not both there; name them in the first line: group,member",
        ]
    );
    let clash = refusal(csv("userName\nsales\n", "displayName\nSales\n", "group,member\nTeam,SALES\n"));
    assert_eq!(clash, [format!("members.csv:2: 'SALES' is a user and a group; {next}")]);
}

#[test]
fn twenty_problems_are_named_and_the_rest_counted() {
    let rows: String = (0..30).map(|n| format!("u{n},maybe\n")).collect();
    let problems = refusal(users(format!("userName,active\n{rows}")));
    assert_eq!((problems.len(), problems[20].as_str()), (21, "and 10 more"));
}

#[test]
fn too_many_deactivations_are_held_unless_exactly_they_are_allowed() {
    let world = World::inline();
    let rows = |active: bool| (0..40).map(|n| format!("u{n},{active}\n")).collect::<String>();
    run(&world, users(format!("userName,active\n{}", rows(true)))).unwrap();
    let before = (world.dump(), world.traces());
    let held = "this load would deactivate 39 users (source 'file' has 40 active ones); the guard lets 8 through, so nothing \
                was loaded; check the users file, and if they are meant, say so: --allow-deactivations 39";
    let complete = LoadRequest { complete: true, ..users("userName\nu0\n") };
    for allow_deactivations in [None, Some(38), Some(40)] {
        let error = run(&world, LoadRequest { allow_deactivations, ..complete.clone() }).unwrap_err();
        assert!(matches!(&error, EngineError::Held(text) if text == held), "{error}");
    }
    // Deactivations that the file names count as well.
    let named = run(&world, users(format!("userName,active\n{}", rows(false)))).unwrap_err();
    assert!(matches!(named, EngineError::Held(_)));
    let dry = run(&world, LoadRequest { dry_run: true, ..complete.clone() }).unwrap();
    assert_eq!(dry.held.as_deref(), Some(held));
    assert_eq!((world.dump(), world.traces()), before);
    run(&world, LoadRequest { allow_deactivations: Some(39), ..complete }).unwrap();
    let active = world.read(|tx, tenant| store::repo::user::count_active_of(tx, tenant, "file"));
    assert_eq!(active, 1);
}

#[test]
fn requests_that_make_no_sense() {
    let world = World::inline();
    let nothing = run(&world, LoadRequest::default()).unwrap_err();
    assert_eq!(nothing.to_string(), "there is nothing to load; name a users, groups or members file");
    let complete = LoadRequest { complete: true, ..members("group,member\n") };
    let error = run(&world, complete).unwrap_err();
    assert_eq!(error.to_string(), "a complete load needs a users file; name one, or leave out --complete");
}
