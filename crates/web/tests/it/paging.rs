//! Pages by index and by cursor: complete, capped, and stable while others write (I23).

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::Client;
use crate::server::{World, on_both, user};

async fn many(world: &World, count: usize) -> Vec<String> {
    let operations: Vec<_> = (0..count)
        .map(|number| {
            let mut data = user(&format!("u{number:03}"));
            data["title"] = json!(format!("t{:03}", (number * 37) % count));
            json!({"method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": data})
        })
        .collect();
    let body = json!({"schemas": [scim::urn::BULK_REQUEST], "Operations": operations});
    world.post("/Bulk", body).await.expect(200);
    let mut ids: Vec<String> = vec![];
    for start in [1, 501] {
        ids.extend(world.get(&format!("/Users?count=500&startIndex={start}")).await.expect(200).list("id"));
    }
    assert_eq!(ids.len(), count);
    ids
}

#[test]
fn pages_by_index_are_complete_and_capped() {
    on_both(async |world| {
        let ids = many(&world, 23).await;
        let mut seen = vec![];
        for start in [1, 8, 15, 22, 29] {
            let page = world.get(&format!("/Users?startIndex={start}&count=7")).await.expect(200);
            assert_eq!(page.body["totalResults"], 23);
            assert_eq!(page.body["startIndex"], start);
            assert_eq!(page.body["itemsPerPage"], page.resources().len());
            seen.extend(page.list("id"));
        }
        assert_eq!(seen, ids);
        let first = world.get("/Users?startIndex=0&count=2").await.expect(200);
        assert_eq!((first.list("id"), &first.body["startIndex"]), (ids[..2].to_vec(), &json!(1)));
        assert_eq!(world.get("/Users?startIndex=-5&count=2").await.expect(200).list("id"), ids[..2]);
        for none in ["count=0", "count=-1", "startIndex=1000"] {
            let page = world.get(&format!("/Users?{none}")).await.expect(200);
            assert_eq!((page.resources().len(), &page.body["totalResults"]), (0, &json!(23)), "{none}");
        }
        let all = world.get("/Users?count=1000000000").await.expect(200);
        assert_eq!(all.list("id"), ids);
        world.get("/Users?count=many").await.expect_error(400, "invalidValue");
        world.get("/Users?count=1&count=2").await.expect_error(400, "invalidValue");
        let filtered =
            world.get("/Users?filter=title%20co%20%22t00%22&count=3&startIndex=4").await.expect(200);
        assert_eq!(filtered.body["totalResults"], 10);
        assert_eq!(filtered.resources().len(), 3);
    });
}

#[test]
fn the_page_cap_is_as_advertised() {
    on_both(async |world| {
        many(&world, 510).await;
        let config = world.get("/ServiceProviderConfig").await.expect(200);
        let most = config.body["filter"]["maxResults"].as_u64().unwrap();
        let page = world.get("/Users?count=100000").await.expect(200);
        assert_eq!(page.resources().len() as u64, most);
        assert_eq!(page.body["totalResults"], 510);
        assert_eq!(config.body["pagination"]["maxPageSize"], most);
        let usual = world.get("/Users").await.expect(200).resources().len();
        assert_eq!(config.body["pagination"]["defaultPageSize"], usual);
        assert_eq!(config.body["pagination"]["cursor"], true);
    });
}

/// Every page of a query by cursor; `between` runs after each and gets what was given so far.
async fn walk(client: &Client, query: &str, mut between: impl AsyncFnMut(usize, &[String])) -> Vec<String> {
    let (mut seen, mut cursor) = (vec![], String::new());
    for page in 0.. {
        assert!(page < 200, "it comes to an end");
        let answer = client.get(&format!("/Users?{query}&count=5&cursor={cursor}")).await.expect(200);
        assert!(answer.body.get("startIndex").is_none(), "{}", answer.text);
        seen.extend(answer.list("id"));
        match answer.body["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
        between(page, &seen).await;
    }
    seen
}

const QUERIES: [&str; 9] = [
    "",
    "sortBy=userName",
    "sortBy=userName&sortOrder=descending",
    "sortBy=meta.lastModified",
    "sortBy=title",
    "sortBy=title&sortOrder=descending",
    "filter=title%20pr",
    "filter=userName%20sw%20%22u%22&sortBy=title",
    "filter=userName%20sw%20%22u%22",
];

#[test]
fn cursors_give_everything_once() {
    on_both(async |world| {
        let ids: BTreeSet<String> = many(&world, 23).await.into_iter().collect();
        for query in QUERIES {
            let seen = walk(&world, query, async |_, _| ()).await;
            assert_eq!(seen.len(), ids.len(), "{query}");
            assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), ids, "{query}");
        }
    });
}

#[test]
fn cursors_are_stable_while_others_write() {
    on_both(async |world| {
        for (round, query) in QUERIES.iter().enumerate() {
            let names: Vec<String> = (0..30).map(|number| format!("r{round}n{number:02}")).collect();
            let mut ids = vec![];
            for name in &names {
                let mut body = user(name);
                body["title"] = json!(format!("{name} title"));
                ids.push(world.post("/Users", body).await.expect(201).id());
            }
            let query = query.replace("sw%20%22u%22", &format!("sw%20%22r{round}%22"));
            let mut gone: BTreeSet<String> = BTreeSet::new();
            let seen = walk(&world, &query, async |page, seen| {
                // What the cursor stands on goes, something before it, and something that is still to come; others arrive.
                let coming = ids.iter().find(|id| !seen.contains(id) && !gone.contains(*id)).cloned();
                let given = [seen.last(), seen.get(page * 2), seen.get(page * 2 + 1)].into_iter().flatten().cloned();
                for id in given.chain(coming).collect::<BTreeSet<_>>() {
                    let moves = json!([{"op": "replace", "value": {"title": "zz", "userName": format!("r{round}z{id}")}}]);
                    world.patch(&format!("/Users/{id}"), moves).await;
                    if page % 3 != 2 {
                        world.delete(&format!("/Users/{id}")).await;
                    }
                    gone.insert(id);
                }
                world.user(&format!("r{round}a{page}")).await;
            })
            .await;
            for (name, id) in names.iter().zip(&ids).filter(|(_, id)| !gone.contains(*id)) {
                let times = seen.iter().filter(|other| *other == id).count();
                assert_eq!(times, 1, "{query}: {name} was given {times} times");
            }
            assert!(gone.len() > 10, "{query}: {gone:?}");
            for left in world.filter("/Users", "userName pr", "&count=500").await.expect(200).list("id") {
                world.delete(&format!("/Users/{left}")).await.expect(204);
            }
        }
    });
}

#[test]
fn wrong_cursors_are_refused() {
    on_both(async |world| {
        many(&world, 12).await;
        let first = world.get("/Users?count=5&cursor=").await.expect(200);
        let cursor = first.body["nextCursor"].as_str().unwrap().to_owned();
        for (query, kind) in [
            ("cursor=abc".to_owned(), "invalidCursor"),
            (format!("cursor={}", "7b".repeat(4_000)), "invalidCursor"),
            (format!("cursor={cursor}&sortBy=title"), "invalidCursor"),
            (format!("cursor={cursor}&filter=title%20pr"), "invalidCursor"),
            (format!("cursor={cursor}&count=0"), "invalidCount"),
            (format!("cursor={cursor}&startIndex=2"), "invalidValue"),
        ] {
            world.get(&format!("/Users?{query}")).await.expect_error(400, kind);
        }
        world.get(&format!("/Groups?cursor={cursor}")).await.expect_error(400, "invalidCursor");
        let bytes = hex(&cursor);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x15;
            let text: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
            let answer = world.get(&format!("/Users?cursor={text}")).await;
            assert!(answer.status == 200 || answer.status == 400, "{}", answer.text);
        }
    });
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

#[test]
fn a_search_over_everything_goes_over_both_kinds() {
    on_both(async |world| {
        let ids = many(&world, 7).await;
        let mut groups = vec![];
        for number in 0..5 {
            groups.push(world.group(&format!("u{number}"), &[]).await);
        }
        let expected: Vec<String> = ids.iter().chain(&groups).cloned().collect();
        let mut seen = vec![];
        for start in [1, 4, 7, 10, 13] {
            let search = json!({"schemas": [scim::urn::SEARCH_REQUEST], "startIndex": start, "count": 3});
            let page = world.post("/.search", search).await.expect(200);
            assert_eq!(page.body["totalResults"], 12, "{}", page.text);
            seen.extend(page.list("id"));
        }
        assert_eq!(seen, expected);
        assert_eq!(world.get("?count=3&startIndex=6").await.expect(200).list("id"), expected[5..8]);
        let search = |filter: &str| json!({"schemas": [scim::urn::SEARCH_REQUEST], "filter": filter});
        let both = world.post("/.search", search("meta.resourceType pr")).await.expect(200);
        assert_eq!(both.body["totalResults"], 12);
        let only_groups = world.post("/.search", search("meta.resourceType eq \"Group\"")).await.expect(200);
        assert_eq!(only_groups.list("id"), groups);
        let only_users = world.post("/.search", search("userName sw \"u00\"")).await.expect(200);
        assert_eq!(only_users.list("id"), ids, "groups have no userName");
        world.post("/.search", search("shoeSize pr")).await.expect_error(400, "invalidFilter");
        let groups_only = world.post("/Groups/.search", search("displayName eq \"U3\"")).await.expect(200);
        assert_eq!(groups_only.list("id"), groups[3..4]);
    });
}
