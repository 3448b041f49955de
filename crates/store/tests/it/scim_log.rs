//! The SCIM log on both databases: nothing twice, nothing out of order, bodies where they are wanted, no growth without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::exchange::Exchange;
use domain::ids::TenantId;
use futures::executor::block_on;
use serde_json::json;
use store::scim_log::{LogFilter, LogObject, Recorded, ScimLog, ScimLogOptions, ScimLogReader};
use store::testing::postgres;
use store::{Fault, Faults, Location, Trigger};

const NOW: i64 = 1_760_000_000_000;
const DAY: i64 = 86_400_000;

fn options() -> ScimLogOptions {
    ScimLogOptions { gather_ms: 1, ..ScimLogOptions::new(|| NOW) }
}

fn on_both(test: impl Fn(&str, &Location)) {
    let folder = tempfile::tempdir().unwrap();
    test("sqlite", &Location::Sqlite(folder.path().join("acme.db")));
    test("postgres", &postgres());
}

fn tenant() -> TenantId {
    TenantId::new("acme")
}

/// A request of a time, with its number as trace.
fn exchange(at_ms: i64, number: usize, status: u16) -> Exchange {
    Exchange {
        status,
        connection: "c1".into(),
        connection_name: "okta".into(),
        request: Some(json!({"userName": format!("user{number}"), "password": "canary"})),
        answer: Some(json!({"id": number.to_string()})),
        ..Exchange::new(&tenant(), at_ms, &format!("{number:012x}"), "POST", "/Users")
    }
}

fn all(reader: &ScimLogReader, filter: &LogFilter) -> Vec<Recorded> {
    block_on(reader.newest(filter, None, 1_000_000)).unwrap()
}

fn numbers(records: &[Recorded]) -> Vec<i64> {
    records.iter().map(|recorded| recorded.seq).collect()
}

#[test]
fn records_are_read_back_newest_first_and_by_every_filter() {
    on_both(|name, location| {
        let log = ScimLog::open(location, options()).unwrap();
        let first = Exchange {
            tolerated: vec![("op_case".into(), "Operations[0].op".into(), "Replace".into())],
            token_name: "t".into(),
            user_agent: "Okta".into(),
            dialect: "okta".into(),
            object_kind: "user".into(),
            object: "u-1".into(),
            object_name: "Ada".into(),
            duration_us: 1_234,
            request: None,
            answer: None,
            ..exchange(NOW - DAY, 1, 200)
        };
        let refused = Exchange {
            method: "PATCH".into(),
            object_kind: "user".into(),
            object_name: "Ada".into(),
            scim_type: Some("uniqueness".into()),
            detail: Some("taken".into()),
            connection: "c2".into(),
            connection_name: "entra".into(),
            ..exchange(NOW, 2, 409)
        };
        log.record(first.clone());
        log.record(refused);
        log.record(Exchange { tenant: TenantId::new("other"), ..exchange(NOW, 3, 500) });
        block_on(log.flush());
        let reader = log.reader();
        let everything = LogFilter::of(&tenant());
        assert_eq!(numbers(&all(reader, &everything)), [2, 1], "{name}");
        assert_eq!(all(reader, &everything)[1].exchange, first, "{name}");
        let ada = |id: &str| LogObject { kind: "user", found: true, id: id.into(), name: "ADA".into() };
        let narrowed = [
            (LogFilter { status: Some("4xx".parse().unwrap()), ..everything.clone() }, vec![2]),
            (LogFilter { status: Some("200".parse().unwrap()), ..everything.clone() }, vec![1]),
            (LogFilter { method: Some("PATCH".into()), ..everything.clone() }, vec![2]),
            (LogFilter { connection: Some("okta".into()), ..everything.clone() }, vec![1]),
            (LogFilter { connection: Some("c2".into()), ..everything.clone() }, vec![2]),
            (LogFilter { trace: Some("000000000002".into()), ..everything.clone() }, vec![2]),
            (LogFilter { object: Some(ada("u-1")), ..everything.clone() }, vec![2, 1]),
            (LogFilter { object: Some(ada("")), ..everything.clone() }, vec![2]),
            (LogFilter { since_ms: Some(NOW), ..everything.clone() }, vec![2]),
            (LogFilter { until_ms: Some(NOW - 1), ..everything.clone() }, vec![1]),
            (LogFilter { since_ms: Some(NOW + 3 * DAY), ..everything.clone() }, vec![]),
        ];
        for (filter, expected) in narrowed {
            assert_eq!(numbers(&all(reader, &filter)), expected, "{name}: {filter:?}");
            let page = block_on(reader.after(&filter, 0, 10)).unwrap();
            let upwards: Vec<i64> = expected.into_iter().rev().collect();
            assert_eq!((numbers(&page.records), page.upto), (upwards, 3), "{name}: {filter:?}");
        }
        assert_eq!(numbers(&block_on(reader.newest(&everything, Some(2), 10)).unwrap()), [1]);
        assert_eq!((log.written(), log.dropped(), log.is_failing()), (3, 0, false));
    });
}

#[test]
fn bodies_stay_for_failures_and_for_the_last_accepted_of_each_kind_also_over_a_restart() {
    on_both(|name, location| {
        let kept = |log: &ScimLog| -> Vec<(i64, bool)> {
            let filter = LogFilter { bodies: true, ..LogFilter::of(&tenant()) };
            let page = block_on(log.reader().after(&filter, 0, 1_000)).unwrap();
            for recorded in page.records.iter().filter(|recorded| recorded.exchange.request.is_some()) {
                let request = recorded.exchange.request.clone().unwrap();
                assert_eq!(request["password"], "[redacted]", "{name}");
                assert!(recorded.exchange.answer.is_some());
            }
            let has = |recorded: &Recorded| (recorded.seq, recorded.exchange.request.is_some());
            page.records.iter().map(has).filter(|(_, kept)| *kept).collect()
        };
        let options = || ScimLogOptions { keep_accepted: 3, ..options() };
        let log = ScimLog::open(location, options()).unwrap();
        for number in 1..=10 {
            log.record(exchange(NOW, number, if number == 2 { 409 } else { 201 }));
        }
        block_on(log.flush());
        assert_eq!(kept(&log), [(2, true), (8, true), (9, true), (10, true)], "{name}");
        drop(log);
        let log = ScimLog::open(location, options()).unwrap();
        for number in 11..=12 {
            log.record(exchange(NOW, number, 201));
            block_on(log.flush());
        }
        assert_eq!(kept(&log), [(2, true), (10, true), (11, true), (12, true)], "{name}");
    });
}

#[test]
fn a_follower_sees_every_record_once_and_in_order_while_several_write() {
    const EACH: usize = 1_500;
    on_both(|name, location| {
        let logs: Vec<ScimLog> = (0..3).map(|_| ScimLog::open(location, options()).unwrap()).collect();
        let reader = ScimLogReader::open(location, || NOW).unwrap().expect("it was made");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let (mut after, mut seen) = (0, vec![]);
                loop {
                    let last = done.load(Ordering::Acquire);
                    let page = block_on(reader.after(&LogFilter::of(&tenant()), after, 97)).unwrap();
                    let empty = page.records.is_empty();
                    after = page.upto;
                    seen.extend(page.records);
                    if last && empty {
                        return seen;
                    }
                }
            });
            let writers: Vec<_> = logs
                .iter()
                .enumerate()
                .map(|(at, log)| {
                    scope.spawn(move || {
                        for number in 0..EACH {
                            log.record(exchange(NOW, at * EACH + number, 200));
                            if number % 100 == 0 {
                                block_on(log.flush());
                            }
                        }
                        block_on(log.flush());
                    })
                })
                .collect();
            for writer in writers {
                writer.join().unwrap();
            }
            done.store(true, Ordering::Release);
            let seen = follower.join().unwrap();
            assert_eq!(numbers(&seen), (1..=3 * EACH as i64).collect::<Vec<_>>(), "{name}");
            for at in 0..3 {
                let range = at * EACH..(at + 1) * EACH;
                let of_one: Vec<usize> = seen
                    .iter()
                    .map(|recorded| usize::from_str_radix(&recorded.exchange.trace, 16).unwrap())
                    .filter(|number| range.contains(number))
                    .collect();
                assert_eq!(of_one, range.clone().collect::<Vec<_>>(), "{name}: in the writer's order");
            }
        });
    });
}

#[test]
fn rare_records_are_found_from_every_number_whoever_wrote_them() {
    on_both(|name, location| {
        let logs: Vec<ScimLog> = (0..2).map(|_| ScimLog::open(location, options()).unwrap()).collect();
        let other = TenantId::new("other");
        for number in 1..=90 {
            let log = &logs[number / 7 % 2];
            let whose = if number % 5 == 0 { &other } else { &tenant() };
            log.record(Exchange { tenant: whose.clone(), ..exchange(NOW, number, 200) });
            block_on(log.flush());
        }
        let reader = logs[0].reader();
        for whose in [tenant(), other] {
            let filter = LogFilter::of(&whose);
            let expected: Vec<i64> =
                (1..=90).filter(|number| (number % 5 == 0) == (whose != tenant())).collect();
            for at in 0..=91 {
                let page = block_on(reader.after(&filter, at, 7)).unwrap();
                let behind = expected.iter().copied().filter(|number| *number > at).take(7);
                assert_eq!(numbers(&page.records), behind.collect::<Vec<_>>(), "{name}: after {at}");
                let newest = block_on(reader.newest(&filter, Some(at), 7)).unwrap();
                let before = expected.iter().copied().rev().filter(|number| *number < at).take(7);
                assert_eq!(numbers(&newest), before.collect::<Vec<_>>(), "{name}: before {at}");
            }
            let trace = format!("{:012x}", expected[3]);
            let one = LogFilter { trace: Some(trace.clone()), ..filter };
            assert_eq!(numbers(&all(reader, &one)), [expected[3]], "{name}: {trace}");
        }
    });
}

#[test]
fn what_is_too_old_or_too_much_goes_step_by_step() {
    on_both(|name, location| {
        let log = ScimLog::open(location, options()).unwrap();
        for number in 0..2_500 {
            log.record(exchange(NOW - 40 * DAY, number, 409));
            log.record(exchange(NOW - 3 * DAY, number, 409));
            log.record(exchange(NOW, number, 409));
        }
        let everything = LogFilter::of(&tenant());
        let wait_for = |log: &ScimLog, wanted: std::ops::RangeInclusive<usize>| -> Vec<Recorded> {
            for _ in 0..2_000 {
                let left = all(log.reader(), &everything);
                if wanted.contains(&left.len()) {
                    return left;
                }
                std::thread::yield_now();
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            panic!("{name}: {} records are left, not {wanted:?}", all(log.reader(), &everything).len());
        };
        block_on(log.flush());
        wait_for(&log, 5_000..=5_000);
        drop(log);
        // Half of one day fits: the older day goes as a whole, of the newer one the oldest blocks.
        let log = ScimLog::open(location, ScimLogOptions { keep_bytes: 400_000, ..options() }).unwrap();
        let left = wait_for(&log, 1..=1_500);
        assert!(left.iter().all(|recorded| recorded.exchange.at_ms == NOW), "{name}");
        assert!(left.len() > 500, "{name}: no more goes than must: {}", left.len());
        assert_eq!(
            left.first().unwrap().exchange.trace,
            format!("{:012x}", 2_499),
            "{name}: the newest stay"
        );
        // The day can be written to again.
        log.record(exchange(NOW - 3 * DAY, 1, 200));
        block_on(log.flush());
        assert_eq!(log.dropped(), 0, "{name}");
    });
}

#[test]
fn a_database_that_fails_costs_records_that_are_counted_and_the_log_goes_on() {
    on_both(|name, location| {
        let faults = Arc::new(Faults::default());
        let log =
            ScimLog::open(location, ScimLogOptions { faults: Some(faults.clone()), ..options() }).unwrap();
        faults.arm(Trigger::Commit(1), Fault::Io);
        log.record(exchange(NOW, 1, 200));
        block_on(log.flush());
        assert_eq!((log.written(), log.dropped()), (1, 0), "{name}: tried again");
        faults.arm(Trigger::EveryCommit, Fault::Full);
        log.record(exchange(NOW, 2, 200));
        log.record(exchange(NOW, 3, 200));
        block_on(log.flush());
        let lost = log.dropped();
        assert!(lost > 0 && log.is_failing(), "{name}");
        faults.disarm();
        log.record(exchange(NOW, 4, 200));
        block_on(log.flush());
        assert!(!log.is_failing(), "{name}");
        let reader = ScimLogReader::open(location, || NOW).unwrap().expect("it was made");
        assert_eq!(block_on(reader.lost()).unwrap() as u64, lost, "{name}");
        assert_eq!(all(&reader, &LogFilter::of(&tenant())).len() as u64 + lost, 4, "{name}");
    });
}

#[test]
fn what_is_queued_is_written_when_the_log_is_closed() {
    on_both(|name, location| {
        let log = ScimLog::open(location, options()).unwrap();
        for number in 0..20_000 {
            log.record(exchange(NOW, number, 200).without_bodies());
        }
        let dropped = log.dropped();
        drop(log);
        let reader = ScimLogReader::open(location, || NOW).unwrap().expect("it was made");
        assert_eq!(block_on(reader.head()).unwrap() as u64 + dropped, 20_000, "{name}");
        assert_eq!(dropped, 0, "{name}: the queue holds that many");
    });
}

#[test]
fn nothing_is_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("acme.db"));
    assert!(ScimLogReader::open(&location, || NOW).unwrap().is_none());
    drop(ScimLog::open(&location, options()).unwrap());
    assert!(folder.path().join("acme-scimlog.db").exists() && !folder.path().join("acme.db").exists());
}
