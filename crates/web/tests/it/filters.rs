//! Filters and orders over HTTP: every operator, every indexed attribute, and what an index must not change.

use serde_json::{Value, json};

use crate::server::{World, on_both};

/// Five users who differ in everything that is looked up, three groups, one inside another.
async fn people(world: &World) -> [String; 3] {
    let mut ids = vec![];
    for (name, given, family, mail, kind, active, title) in [
        ("ada", "Ada", "Lovelace", "ada@one.example", "work", true, Some("Countess")),
        ("bob", "Bob", "Babbage", "bob@one.example", "home", false, None),
        ("cleo", "Cleo", "Lovelace", "cleo@two.example", "work", true, Some("queen")),
        ("dan", "Dan", "Straße", "dan@two.example", "work", true, Some("")),
        ("Eve", "Eve", "O'Neil \"x\"", "eve+tag@three.example", "other", false, Some("Queen")),
    ] {
        let mut body = json!({
            "schemas": [scim::urn::USER, scim::urn::ENTERPRISE_USER],
            "userName": name,
            "externalId": format!("X-{name}"),
            "displayName": format!("{given} {family}"),
            "name": {"givenName": given, "familyName": family, "formatted": format!("{given} {family}")},
            "emails": [
                {"value": mail, "type": kind, "primary": true},
                {"value": format!("{name}@shared.example"), "type": "other"},
            ],
            "active": active,
            (scim::urn::ENTERPRISE_USER): {"department": if active { "Maths" } else { "Ops" }},
        });
        if let Some(title) = title {
            body["title"] = json!(title);
        }
        ids.push(world.post("/Users", body).await.expect(201).id());
    }
    let inner = world.group("inner", &[&ids[0], &ids[1]]).await;
    let outer = world.group("outer", &[&inner, &ids[2]]).await;
    let alone = world.group("alone", &[]).await;
    [inner, outer, alone]
}

const ALL: &[&str] = &["Eve", "ada", "bob", "cleo", "dan"];

async fn check(world: &World, path: &str, cases: &[(&str, &[&str])]) {
    for (filter, expected) in cases {
        let found = world.names(path, filter).await;
        assert_eq!(found, *expected, "{path} {filter}");
    }
}

#[test]
fn every_operator_and_every_indexed_attribute() {
    on_both(async |world| {
        people(&world).await;
        check(
            &world,
            "/Users",
            &[
                ("userName eq \"ADA\"", &["ada"]),
                ("userName EQ \"ada\"", &["ada"]),
                ("username ne \"ada\"", &["Eve", "bob", "cleo", "dan"]),
                ("userName sw \"e\"", &["Eve"]),
                ("userName co \"E\"", &["Eve", "cleo"]),
                ("userName ew \"AN\"", &["dan"]),
                ("userName gt \"bob\"", &["Eve", "cleo", "dan"]),
                ("userName ge \"BOB\"", &["Eve", "bob", "cleo", "dan"]),
                ("userName lt \"bob\"", &["ada"]),
                ("userName le \"bob\"", &["ada", "bob"]),
                ("userName sw \"\"", ALL),
                ("title pr", &["Eve", "ada", "cleo"]),
                ("not (title pr)", &["bob", "dan"]),
                ("externalId eq \"X-ada\"", &["ada"]),
                ("externalId eq \"x-ada\"", &[]),
                ("externalId sw \"X-\"", ALL),
                ("emails.value eq \"ADA@one.example\"", &["ada"]),
                ("emails.value sw \"bob@\"", &["bob"]),
                ("emails.value ew \"@shared.example\"", ALL),
                ("emails eq \"cleo@shared.example\"", &["cleo"]),
                ("emails co \"two\"", &["cleo", "dan"]),
                ("emails[type eq \"work\"].value eq \"ada@one.example\"", &["ada"]),
                ("emails[type eq \"home\"].value eq \"ada@one.example\"", &[]),
                ("emails[type eq \"work\" and value eq \"cleo@two.example\"]", &["cleo"]),
                ("emails[type eq \"other\" and value eq \"cleo@two.example\"]", &[]),
                ("emails[type eq \"work\" and value ew \"two.example\"]", &["cleo", "dan"]),
                ("emails[not (type eq \"work\")].value co \"bob\"", &["bob"]),
                ("displayName eq \"ada lovelace\"", &["ada"]),
                ("displayName sw \"CLEO\"", &["cleo"]),
                ("name.familyName eq \"lovelace\"", &["ada", "cleo"]),
                ("name.familyName eq \"STRAßE\"", &["dan"]),
                ("name.givenName sw \"e\"", &["Eve"]),
                ("name.familyName eq \"O'Neil \\\"x\\\"\"", &["Eve"]),
                ("name.formatted co \"love\"", &["ada", "cleo"]),
                ("active eq true", &["ada", "cleo", "dan"]),
                ("active eq False", &["Eve", "bob"]),
                ("active ne true", &["Eve", "bob"]),
                ("title eq \"QUEEN\"", &["Eve", "cleo"]),
                ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"ada\"", &["ada"]),
                (
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"ops\"",
                    &["Eve", "bob"],
                ),
                ("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", ALL),
                ("meta.resourceType eq \"User\"", ALL),
                ("meta.lastModified ge \"2020-01-01T00:00:00Z\"", ALL),
                ("meta.lastModified lt \"2020-01-01T00:00:00+02:00\"", &[]),
                ("meta.created gt \"2020-01-01T00:00:00.000Z\" and userName eq \"ada\"", &["ada"]),
                ("id pr", ALL),
                ("id eq \"none\"", &[]),
                ("userName eq \"ada\" or userName eq \"bob\" and active eq true", &["ada"]),
                ("(userName eq \"ada\" or userName eq \"bob\") and active eq false", &["bob"]),
                ("userName eq \"ada\" and userName eq \"bob\"", &[]),
                ("not (userName eq \"ada\") and active eq true", &["cleo", "dan"]),
                ("not (not (userName eq \"ada\"))", &["ada"]),
                ("userName eq \"ada\" or title eq \"queen\"", &["Eve", "ada", "cleo"]),
                ("emails.value eq \"ada@one.example\" and active eq true", &["ada"]),
                ("emails.value eq \"ada@one.example\" and active eq false", &[]),
            ],
        )
        .await;
    });
}

#[test]
fn filters_on_groups_and_members() {
    on_both(async |world| {
        let [inner, outer, alone] = people(&world).await;
        let ada = world.filter("/Users", "userName eq \"ada\"", "").await.resources()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let user = |template: &str| {
            template
                .replace("INNER", &inner)
                .replace("OUTER", &outer)
                .replace("ALONE", &alone)
                .replace("ADA", &ada)
        };
        for (filter, expected) in [
            ("groups.value eq \"INNER\"", &["ada", "bob"][..]),
            ("groups eq \"OUTER\"", &["ada", "bob", "cleo"]),
            ("groups[value eq \"OUTER\"]", &["ada", "bob", "cleo"]),
            ("groups[value eq \"OUTER\" and type eq \"direct\"]", &["cleo"]),
            ("groups.value eq \"ALONE\"", &[]),
            ("groups.value eq \"none\"", &[]),
            ("groups.display eq \"INNER\"", &[]),
            ("groups.display eq \"inner\"", &["ada", "bob"]),
            ("not (groups.value eq \"INNER\")", &["Eve", "cleo", "dan"]),
            ("not (groups pr)", &["Eve", "dan"]),
            ("groups.value eq \"INNER\" or userName eq \"dan\"", &["ada", "bob", "dan"]),
            ("groups.value eq \"INNER\" or title eq \"queen\"", &["Eve", "ada", "bob", "cleo"]),
            ("groups.value eq \"INNER\" and groups.value eq \"OUTER\"", &["ada", "bob"]),
            ("groups.value eq \"OUTER\" and not (groups.value eq \"INNER\")", &["cleo"]),
            ("groups.value ne \"INNER\"", ALL),
        ] {
            // Which group is called by its id in a filter, and by its name where that is meant.
            let text = if filter.contains("display") { filter.to_owned() } else { user(filter) };
            let expected =
                if filter == "groups.display eq \"INNER\"" { &["ada", "bob"][..] } else { expected };
            assert_eq!(world.names("/Users", &text).await, expected, "{filter}");
        }
        for (filter, expected) in [
            ("members.value eq \"ADA\"", &["inner"][..]),
            ("members eq \"INNER\"", &["outer"]),
            ("members[value eq \"ADA\"]", &["inner"]),
            ("members[value eq \"INNER\" and type eq \"Group\"]", &["outer"]),
            ("members[value eq \"INNER\" and type eq \"User\"]", &[]),
            ("not (members.value eq \"ADA\")", &["alone", "outer"]),
            ("not (members pr)", &["alone"]),
            ("members.value eq \"ADA\" or displayName eq \"alone\"", &["alone", "inner"]),
            ("members.value eq \"ADA\" and displayName sw \"IN\"", &["inner"]),
            ("members.value eq \"ADA\" and displayName sw \"out\"", &[]),
            ("displayName co \"o\"", &["alone", "outer"]),
            ("displayName eq \"OUTER\"", &["outer"]),
        ] {
            let text =
                if filter.contains("displayName") { filter.replace("ADA", &ada) } else { user(filter) };
            assert_eq!(world.names("/Groups", &text).await, expected, "{filter}");
        }
        // Whoever is deleted is in no group any more.
        world.delete(&format!("/Users/{ada}")).await.expect(204);
        assert_eq!(world.names("/Users", &user("groups.value eq \"INNER\"")).await, ["bob"]);
        assert_eq!(world.names("/Groups", &user("not (members.value eq \"ADA\")")).await.len(), 3);
    });
}

#[test]
fn orders_with_and_without_an_index() {
    on_both(async |world| {
        people(&world).await;
        for (query, expected) in [
            ("sortBy=userName", ["ada", "bob", "cleo", "dan", "Eve"]),
            ("sortBy=userName&sortOrder=descending", ["Eve", "dan", "cleo", "bob", "ada"]),
            ("sortBy=meta.created", ["ada", "bob", "cleo", "dan", "Eve"]),
            ("sortBy=meta.lastModified&sortOrder=DESCENDING", ["Eve", "dan", "cleo", "bob", "ada"]),
            ("sortBy=name.givenName", ["ada", "bob", "cleo", "dan", "Eve"]),
            ("sortBy=emails.value&sortOrder=descending", ["Eve", "dan", "cleo", "bob", "ada"]),
            ("sortBy=emails", ["ada", "bob", "cleo", "dan", "Eve"]),
            // Without a value last; ties by id.
            ("sortBy=title", ["ada", "cleo", "Eve", "bob", "dan"]),
            ("sortBy=userName&filter=userName%20pr", ["ada", "bob", "cleo", "dan", "Eve"]),
        ] {
            let found = world.get(&format!("/Users?{query}")).await.expect(200).list("userName");
            let empty_title = query == "sortBy=title" && found[..2] == ["dan".to_owned(), "ada".to_owned()];
            assert!(found == expected || empty_title, "{query}: {found:?}");
            let separator = if query.contains("filter") { "" } else { "&filter=active%20pr" };
            let filtered = world.get(&format!("/Users?{query}{separator}")).await.expect(200);
            assert_eq!(filtered.list("userName"), found, "a filter that all pass changes no order: {query}");
            let (sort, order) = match query.split_once("&sortOrder=") {
                Some((sort, order)) => (sort, order),
                None => (query, "ascending"),
            };
            if let Some(path) = sort.strip_prefix("sortBy=").filter(|path| !path.contains('&')) {
                let search =
                    json!({"schemas": [scim::urn::SEARCH_REQUEST], "sortBy": path, "sortOrder": order});
                let searched = world.post("/Users/.search", search).await.expect(200);
                assert_eq!(searched.list("userName"), found, "{query}");
            }
        }
        world.get("/Users?sortBy=shoeSize").await.expect_error(400, "invalidPath");
        world.get("/Users?sortBy=password").await.expect_error(400, "invalidPath");
        world.get("/Users?sortBy=userName&sortOrder=upwards").await.expect_error(400, "invalidValue");
        let last = world.get("/Groups?sortBy=displayName&sortOrder=descending").await.expect(200);
        assert_eq!(last.list("displayName"), ["outer", "inner", "alone"]);
    });
}

#[test]
fn wrong_filters_are_refused() {
    on_both(async |world| {
        people(&world).await;
        let deep = format!("{}userName pr{}", "(".repeat(300), ")".repeat(300));
        let many = vec!["userName eq \"a\""; 600].join(" or ");
        let long = format!("userName eq \"{}\"", "a".repeat(20_000));
        for filter in [
            "userName",
            "userName eq",
            "userName eq ada",
            "userName is \"ada\"",
            "userName eq \"ada\" and",
            "userName eq \"ada\" or or userName pr",
            "(userName eq \"ada\"",
            "userName eq \"ada\")",
            "emails[type eq \"work\"",
            "emails[type eq \"work\"]]",
            "shoeSize eq 5",
            "emails.shoe eq \"x\"",
            "urn:example:none:name eq \"x\"",
            "active gt true",
            "active co \"t\"",
            "active eq \"perhaps\"",
            "userName eq 5",
            "meta.lastModified gt \"yesterday\"",
            "not userName pr",
            "userName pr pr",
            "\"ada\" eq userName",
            "userName eq 'ada'",
            "",
            " ",
            &deep,
            &many,
            &long,
        ] {
            let refused = world.filter("/Users", filter, "").await;
            let shown: String = filter.chars().take(60).collect();
            assert_eq!(refused.status, 400, "{shown}: {}", refused.text);
            refused.expect_error(400, "invalidFilter");
            if filter.trim().is_empty() || filter.len() > 8_000 {
                continue;
            }
            let search = json!({"schemas": [scim::urn::SEARCH_REQUEST], "filter": filter});
            world.post("/Users/.search", search.clone()).await.expect_error(400, "invalidFilter");
            world.post("/.search", search).await.expect_error(400, "invalidFilter");
        }
        let empty: Vec<Value> = vec![];
        let none = world.filter("/Users", "userName eq \"nobody\"", "").await.expect(200);
        assert_eq!(none.body["totalResults"], 0);
        assert_eq!(none.resources(), empty);
    });
}
