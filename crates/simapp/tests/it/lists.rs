//! Lists: paging to the end equals the content, and indexes find what evaluation finds.

use crate::client::{Client, user};
use serde_json::{Value, json};
use simapp::{Config, Random};
use std::collections::BTreeSet;

fn ids(list: &Value) -> Vec<String> {
    let resources = list["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn paging_to_the_end_equals_the_content() {
    let mut client = Client::new(Config { max_page_size: 7, ..Config::default() });
    for number in 0..50 {
        client.add_user(&format!("user{number}"));
    }
    for filter in ["", "&filter=active+eq+true", "&filter=userName+sw+%22USER%22"] {
        let (mut seen, mut start) = (Vec::new(), 1);
        loop {
            let (status, page) = client.get(&format!("/Users?startIndex={start}&count=100{filter}"));
            assert_eq!((status, page["totalResults"].as_u64()), (200, Some(50)));
            if ids(&page).is_empty() {
                break;
            }
            assert!(ids(&page).len() <= 7);
            start += ids(&page).len();
            seen.extend(ids(&page));
        }
        let held: Vec<String> =
            client.app.users().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(seen, held, "{filter}");
    }
}

#[test]
fn paging_parameters_are_bounded_not_refused() {
    let mut client = Client::with_faults(&[]);
    client.add_user("ada");
    client.add_user("bob");
    for (query, expected) in [
        ("startIndex=-5", 2),
        ("startIndex=0&count=1", 1),
        ("count=0", 0),
        ("count=-1", 0),
        ("startIndex=3", 0),
        ("startIndex=9223372036854775807", 0),
        ("startIndex=99999999999999999999", 0),
    ] {
        let (status, page) = client.get(&format!("/Users?{query}"));
        assert_eq!(
            (status, ids(&page).len(), page["totalResults"].as_u64()),
            (200, expected, Some(2)),
            "{query}"
        );
    }
    assert_eq!(client.get("/Users?count=many").0, 400);
    assert_eq!(client.get("/Users?attributes=id&excludedAttributes=name").0, 400);
}

type Verdict = fn(&Value) -> bool;

#[test]
fn every_filter_finds_what_a_look_at_all_users_finds() {
    let mut client = Client::with_faults(&[]);
    let mut random = Random::new(5);
    for number in 0..60 {
        let mut body = user(&format!("User{number}"));
        body["active"] = json!(random.chance(0.5));
        client.add_user_body(&body);
    }
    let all = client.app.users();
    let cases: [(&str, Verdict); 8] = [
        ("userName eq \"uSER7\"", |user| user["userName"] == "User7"),
        ("externalId eq \"ext-User7\"", |user| user["userName"] == "User7"),
        ("externalId eq \"EXT-User7\"", |_| false),
        ("id eq \"u-000003\"", |user| user["id"] == "u-000003"),
        ("active eq true and userName sw \"User1\"", |user| {
            user["active"] == true && user["userName"].as_str().unwrap().starts_with("User1")
        }),
        ("userName eq \"user7\" and active eq false", |user| {
            user["userName"] == "User7" && user["active"] == false
        }),
        ("emails[type eq \"work\" and value co \"5\"]", |user| {
            user["emails"][0]["value"].as_str().unwrap().contains('5')
        }),
        ("not (active eq true) or userName eq \"user1\"", |user| {
            user["active"] == false || user["userName"] == "User1"
        }),
    ];
    for (filter, holds) in cases {
        let query = filter.replace(' ', "%20").replace('"', "%22");
        let (status, page) = client.get(&format!("/Users?filter={query}"));
        let expected: Vec<String> = all
            .iter()
            .filter(|user| holds(user))
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!((status, ids(&page)), (200, expected), "{filter}");
        let (_, searched) =
            client.post("/Users/.search", &json!({ "filter": filter, "attributes": ["userName"] }));
        assert_eq!(ids(&searched), ids(&page), "{filter}");
    }
    for bad in ["userName", "noSuch%20eq%20%221%22", "active%20gt%20true", "((("] {
        let (status, body) = client.get(&format!("/Users?filter={bad}"));
        assert_eq!((status, body["scimType"].as_str()), (400, Some("invalidFilter")), "{bad}: {body}");
    }
}

#[test]
fn groups_are_found_by_name_and_member() {
    let mut client = Client::with_faults(&[]);
    let (ada, bob) = (client.add_user("ada"), client.add_user("bob"));
    let engines = client.add_group("Engines", &[&ada]);
    let motors = client.add_group("Motors", &[&ada, &bob]);
    let mut find = |filter: String| {
        let query = filter.replace(' ', "+").replace('"', "%22");
        let (status, page) = client.get(&format!("/Groups?filter={query}&excludedAttributes=members"));
        assert_eq!(status, 200, "{filter}: {page}");
        assert!(
            page["Resources"].as_array().into_iter().flatten().all(|group| group.get("members").is_none())
        );
        ids(&page)
    };
    assert_eq!(find("displayName eq \"engines\"".to_owned()), [&*engines]);
    assert_eq!(find(format!("members eq \"{ada}\"")), [&*engines, &*motors]);
    assert_eq!(find(format!("id eq \"{engines}\" and members.value eq \"{bob}\"")), [""; 0]);
    assert_eq!(find(format!("id eq \"{motors}\" and members eq \"{bob}\"")), [&*motors]);
    assert_eq!(find(format!("members[value eq \"{bob}\"]")), [&*motors]);
    assert_eq!(find(format!("not (members eq \"{bob}\")")), [&*engines]);
    let later = BTreeSet::from_iter(find("meta.lastModified gt \"1970-01-01T00:00:00Z\"".to_owned()));
    assert_eq!(later, BTreeSet::from([engines, motors]));
}

impl Client {
    fn add_user_body(&mut self, body: &Value) {
        assert_eq!(self.post("/Users", body).0, 201);
    }
}
