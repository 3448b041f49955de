//! Depth and length bombs for every target, on a stack of a quarter of what a worker thread has.

use targets::{ALL, find};

fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(test)
        .expect("a small thread can be started");
    thread.join().expect("no panic on the small stack");
}

#[test]
fn repeated_tokens_of_every_grammar_are_survived() {
    on_small_stack(|| {
        for target in ALL {
            for token in target
                .grammar
                .tokens()
                .into_iter()
                .chain(["(", "[", "{", "{\"a\":", "not ", "-", "\"", "\u{e9}", "\\"])
            {
                for length in [3_000, 70_000] {
                    (target.run)(token.repeat(length / token.len().max(1)).as_bytes());
                }
            }
        }
    });
}

#[test]
fn nested_json_is_survived_wherever_json_is_read() {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    on_small_stack(move || {
        for depth in [20, 127, 128, 10_000] {
            for value in [
                nested("[", "]", depth),
                nested("{\"value\":", "}", depth),
                nested("{\"members\":[", "]}", depth),
            ] {
                let user = format!("{{\"userName\":\"a\",\"emails\":{value},\"name\":{value}}}");
                let body =
                    format!("{{\"Operations\":[{{\"op\":\"add\",\"path\":\"emails\",\"value\":{value}}}]}}");
                for (name, input) in [
                    ("filter", format!("emails[not (value pr)]\0{user}")),
                    ("path", format!("emails.value\0{user}")),
                    ("patch", format!("{body}\0{user}")),
                    ("resource", user.clone()),
                    ("dialect", body.clone()),
                    ("dialect", user.clone()),
                    ("query", format!("count=1\0{user}\0{user}")),
                    (
                        "bulk",
                        format!(
                            "{{\"Operations\":[{{\"method\":\"POST\",\"path\":\"/Users\",\"bulkId\":\"a\",\"data\":{user}}}]}}"
                        ),
                    ),
                    ("csv", format!("j{user}\n{value}\n")),
                    ("expression", format!("user | tojson\0{user}")),
                    ("outcome", format!("200\0\0\0\0{user}")),
                    ("outcome", format!("400\0\0\0\0{{\"response\":{value}}}")),
                ] {
                    (find(name).expect("it exists").run)(input.as_bytes());
                }
            }
        }
    });
}

#[test]
fn nested_expressions_are_refused_or_evaluated() {
    on_small_stack(|| {
        let run = find("expression").expect("it exists").run;
        for depth in [50, 500, 2_000] {
            for (open, close) in [
                ("(", ")"),
                ("[", "]"),
                ("{'a':", "}"),
                ("not ", ""),
                ("-", ""),
                ("first_of(", ")"),
                ("1+", ""),
                ("1 if 1 else ", ""),
                ("'a' ~ ", ""),
                ("1 ** ", ""),
                ("1 == ", ""),
                ("1 and ", ""),
                ("(1) | default(", ")"),
            ] {
                run(format!("{}1{}", open.repeat(depth), close.repeat(depth)).as_bytes());
            }
            for tail in ["|upper", ".a", "[0]", "(1)", "~'a'", " is defined"] {
                run(format!("user{}", tail.repeat(depth)).as_bytes());
            }
        }
    });
}

#[test]
fn long_lists_are_survived() {
    on_small_stack(|| {
        let elements: Vec<String> =
            (0..2_000).map(|index| format!("{{\"value\":\"{index}\",\"type\":\"work\"}}")).collect();
        let list = elements.join(",");
        let operation = "{\"op\":\"remove\",\"path\":\"emails[type co \\\"x\\\" or value sw \\\"9\\\"]\"}";
        let add = format!("{{\"op\":\"add\",\"path\":\"emails\",\"value\":[{list}]}}");
        for (name, input) in [
            ("filter", format!("emails[type eq \"home\" or not (value sw \"1\")]\0{{\"emails\":[{list}]}}")),
            ("patch", format!("{{\"Operations\":[{add},{operation},{add}]}}")),
            ("resource", format!("{{\"userName\":\"a\",\"emails\":[{list}]}}")),
            ("dialect", format!("{{\"Operations\":[{add},{operation},{add}]}}")),
            ("outcome", format!("200\0\0\0\0{{\"totalResults\":2000,\"Resources\":[{list}]}}")),
            (
                "csv",
                format!(
                    "uuserName,title\n{}",
                    (0..2_000).map(|index| format!("u{index},x\n")).collect::<String>()
                ),
            ),
        ] {
            (find(name).expect("it exists").run)(input.as_bytes());
        }
    });
}
