//! What is asked of every server, in the same order and by the same client.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::clock::{per_second, timed};
use crate::contenders::{Running, cpu_s};
use crate::fill;
use crate::http::{Answer, Client, Load, Request, Sample, drive};

/// Callers at the same time in the wide half of a measurement.
pub const WIDTH: usize = 64;
/// Users beside the counted ones that join and leave groups.
const SPARE: usize = 800;
/// Members of one request when a group is too large for a single one.
const CHUNK: usize = 1_000;
/// From so many users on, ours is filled without HTTP.
const FILLED: usize = 50_000;
/// A wide measurement is left out when it would take longer than this by what one caller saw.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much is measured.
#[derive(Clone)]
pub struct Plan {
    /// Users.
    pub users: usize,
    /// Members of the groups.
    pub groups: Vec<usize>,
    /// For each half of each step.
    pub span: Duration,
}

/// One half of a step: one caller, or many.
#[derive(Clone, Default)]
pub struct Half {
    /// Requests per second.
    pub rate: f64,
    /// Half of the requests were answered within, in milliseconds.
    pub p50: f64,
    /// 99 of 100 requests were answered within, in milliseconds.
    pub p99: f64,
    /// Milliseconds of processor that the server used for each; the kernel counts hundredths of a second.
    pub cpu_ms: f64,
    /// Why there is no figure, or why it is not to be believed.
    pub problem: Option<String>,
}

/// A step, measured.
pub struct Row {
    /// What was asked.
    pub step: String,
    /// By one caller.
    pub narrow: Half,
    /// By [`WIDTH`] callers.
    pub wide: Half,
}

/// One server at one size.
#[derive(Default)]
pub struct Outcome {
    /// The steps in the order they ran.
    pub rows: Vec<Row>,
    /// Users per second while it was filled by [`WIDTH`] callers.
    pub fill: f64,
    /// Peak memory of the server in MiB.
    pub peak_mib: u64,
    /// The client's part of the processor time of both, in percent, by one caller and by many.
    pub client_share: [f64; 2],
    /// MiB by which the peak rose when a page of 1,000,000,000 was asked for.
    pub growth_mib: Option<u64>,
}

/// A filled server and what is known about it.
pub struct Trial<'a> {
    running: &'a Running,
    plan: Plan,
    ids: Vec<String>,
    cpu: [[f64; 2]; 2],
    outcome: Outcome,
}

impl<'a> Trial<'a> {
    /// Fills the server.
    pub async fn new(running: &'a Running, plan: &Plan) -> Result<Self> {
        let all = plan.users + SPARE;
        if let Some(database) = running.database.as_ref().filter(|_| all > FILLED) {
            let (ids, time) = timed(fill::users(database, all, &user)).await;
            let outcome = Outcome { fill: per_second(all, time), ..Outcome::default() };
            return Ok(Self { running, plan: plan.clone(), ids: ids?, cpu: [[0.0; 2]; 2], outcome });
        }
        let created = Mutex::new(vec![String::new(); all]);
        let load = Load { width: WIDTH, limit: all, least: 0, span: Duration::from_secs(86_400) };
        let keep = |n: usize, answer: &Answer| {
            let id = answer.json().ok().and_then(|body| body["id"].as_str().map(str::to_owned));
            let mut created = created.lock().unwrap_or_else(PoisonError::into_inner);
            created[n] = id.unwrap_or_default();
            answer.status == 201
        };
        let sample =
            drive(&running.target, load, &|n| Request::with("POST", "/Users", &user(n)), &keep).await;
        if let Some(failure) = sample.failures.first().map(|(_, what)| what) {
            return Err(format!("it could not be filled: {failure}").into());
        }
        let outcome = Outcome { fill: sample.rate(), ..Outcome::default() };
        let ids = created.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { running, plan: plan.clone(), ids, cpu: [[0.0; 2]; 2], outcome })
    }

    /// Every step.
    pub async fn run(mut self) -> Result<Outcome> {
        self.reads().await;
        self.pages().await;
        let (ids, users) = (self.ids.clone(), self.plan.users);
        let patch = Step::new("PATCH user", move |n| {
            let operation = json!({"op": "replace", "path": "title", "value": format!("Title {n}")});
            Request::with("PATCH", format!("/Users/{}", ids[spread(n, users)]), &patch_of(&operation))
        });
        self.steps(&[patch], None).await;
        self.groups().await?;
        self.create_and_delete().await;
        self.outcome.peak_mib = self.running.peak_kib() / 1_024;
        self.outcome.client_share =
            self.cpu.map(|[client, server]| 100.0 * client / (client + server).max(0.01));
        Ok(self.outcome)
    }

    /// Memory growth when a page of 1,000,000,000 is asked for; the growth of a first ordinary page does not count.
    pub async fn page_of_a_billion(&mut self) -> Result<()> {
        let mut client = Client::new(&self.running.target);
        client.send(&Request::get("/Users?count=1000")).await?.success("a page")?;
        self.running.forget_peak()?;
        let before = self.running.peak_kib();
        for _ in 0..5 {
            client.send(&Request::get("/Users?count=1000000000")).await?.success("a page of a billion")?;
        }
        self.outcome.growth_mib = Some(self.running.peak_kib().saturating_sub(before).div_ceil(1_024));
        Ok(())
    }

    /// An endpoint of the same server that always answers the same.
    pub async fn constant(&mut self, path: &'static str) {
        let mut running = self.running.target.clone();
        running.base = String::new();
        let load = |width| Load { width, limit: usize::MAX, least: 3, span: self.plan.span };
        let make = |_: usize| Request::get(path);
        let narrow = half(&drive(&running, load(1), &make, &|_, _| true).await, 0.0);
        let before = self.running.cpu_s();
        let sample = drive(&running, load(WIDTH), &make, &|_, _| true).await;
        let wide = half(&sample, self.running.cpu_s() - before);
        self.outcome.rows.push(Row { step: "a constant".into(), narrow, wide });
    }

    async fn reads(&mut self) {
        let (ids, users) = (self.ids.clone(), self.plan.users);
        let name_of = move |n: usize| user_name(spread(n, users));
        let right = move |n: usize, answer: &Answer| holds(answer, &name_of(n));
        let get = Step::new("GET user", move |n| Request::get(format!("/Users/{}", ids[spread(n, users)])));
        let by_name = Step::new("userName eq", move |n| {
            Request::get(format!("/Users?filter=userName%20eq%20%22{}%22", name_of(n)))
        });
        let by_email = Step::new("emails[type eq \"work\"].value eq", move |n| {
            let filter = format!("emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22{}%22", name_of(n));
            Request::get(format!("/Users?filter={filter}"))
        });
        for step in [get, by_name, by_email] {
            self.steps(&[step.right(right)], None).await;
        }
    }

    /// Pages in turns, so that what disturbs one disturbs all.
    async fn pages(&mut self) {
        let deep = self.plan.users / 10 * 9;
        let page = |name: &str, query: String| {
            let step = Step::new(name, move |_| Request::get(format!("/Users?{query}&count=100")));
            step.right(|n, answer| !n.is_multiple_of(16) || is_page(answer))
        };
        let mut pages = vec![
            page("list 100, first", "startIndex=1".into()),
            page("list 100, index at 90 %", format!("startIndex={deep}")),
            page("list 100, first by cursor", "cursor=".into()),
        ];
        match self.cursor_at(deep).await {
            Ok(cursor) => pages.push(page("list 100, cursor at 90 %", format!("cursor={cursor}"))),
            Err(error) => {
                pages.pop();
                let missing = Half { problem: Some(error.to_string()), ..Half::default() };
                for step in ["list 100, first by cursor", "list 100, cursor at 90 %"] {
                    let (narrow, wide) = (missing.clone(), missing.clone());
                    self.outcome.rows.push(Row { step: step.into(), narrow, wide });
                }
            }
        }
        self.steps(&pages, None).await;
    }

    /// Walks to a cursor that has about so many users before it.
    async fn cursor_at(&self, deep: usize) -> Result<String> {
        let mut client = Client::new(&self.running.target);
        let (mut cursor, mut seen) = (String::new(), 0);
        while seen < deep {
            let path = format!("/Users?cursor={cursor}&count=100");
            let page = client.send(&Request::get(path)).await?.success("a cursor")?.json()?;
            seen += page["Resources"].as_array().map_or(0, Vec::len);
            let next = page["nextCursor"].as_str().ok_or("no cursors")?;
            cursor = url_part(next);
        }
        Ok(cursor)
    }

    /// Groups of all sizes in turns.
    async fn groups(&mut self) -> Result<()> {
        let (mut add, mut remove, mut without) = (vec![], vec![], vec![]);
        for size in self.plan.groups.clone() {
            let path = self.group(size).await?;
            let spare = self.ids[self.plan.users..].to_vec();
            let (at, spares) = (path.clone(), spare.clone());
            add.push(Step::new(&format!("add a member to {size}"), move |n| {
                let operation =
                    json!({"op": "add", "path": "members", "value": [{"value": spares[n % SPARE]}]});
                Request::with("PATCH", at.clone(), &patch_of(&operation))
            }));
            let at = path.clone();
            remove.push(Step::new(&format!("remove a member from {size}"), move |n| {
                let filter = format!("members[value eq \"{}\"]", spare[n % SPARE]);
                Request::with("PATCH", at.clone(), &patch_of(&json!({"op": "remove", "path": filter})))
            }));
            let read = Step::new(&format!("GET a group of {size} without members"), move |_| {
                Request::get(format!("{path}?excludedAttributes=members"))
            });
            without.push(read.right(|n, answer| !n.is_multiple_of(16) || !holds(answer, "\"members\"")));
        }
        self.steps(&add, Some([100, SPARE - 100])).await;
        self.steps(&remove, Some([100, SPARE - 100])).await;
        self.steps(&without, None).await;
        Ok(())
    }

    /// A new group with its members; gives its path.
    async fn group(&self, size: usize) -> Result<String> {
        let members: Vec<Value> = self.ids[..size].iter().map(|id| json!({"value": id})).collect();
        let mut client = Client::new(&self.running.target);
        let mut answer = client.send(&Request::with("POST", "/Groups", &group(size, &members))).await?;
        if !(200..300).contains(&answer.status) {
            answer = client.send(&Request::with("POST", "/Groups", &group(size, &[]))).await?;
            let id = text_at(&answer.json()?, "id");
            for chunk in members.chunks(CHUNK) {
                let operation = json!({"op": "add", "path": "members", "value": chunk});
                let request = Request::with("PATCH", format!("/Groups/{id}"), &patch_of(&operation));
                client.send(&request).await?.success("members")?;
            }
        }
        Ok(format!("/Groups/{}", text_at(&answer.success("a group")?.json()?, "id")))
    }

    async fn create_and_delete(&mut self) {
        let created = Arc::new(Mutex::new(vec![]));
        let (kept, next) = (created.clone(), AtomicUsize::new(self.plan.users + SPARE));
        let create = Step::new("create", move |_| {
            Request::with("POST", "/Users", &user(next.fetch_add(1, Ordering::Relaxed)))
        });
        let create = create.right(move |_, answer| {
            let id = answer.json().map(|body| text_at(&body, "id")).unwrap_or_default();
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            answer.status == 201
        });
        self.steps(&[create], None).await;
        let created = std::mem::take(&mut *created.lock().unwrap_or_else(PoisonError::into_inner));
        let half = (created.len() / 2).max(1);
        let delete = Step::new("delete", move |n| {
            let id = created.get(n).cloned().unwrap_or_default();
            Request { method: "DELETE", path: format!("/Users/{id}"), body: None }
        });
        self.steps(&[delete], Some([half, half])).await;
    }

    /// Both halves of steps: one caller takes them in turns, many callers take them one after the other. With limits for each
    /// half of each step, the wide half begins after the most that the narrow one could do.
    async fn steps(&mut self, steps: &[Step], limits: Option<[usize; 2]>) {
        let [few, many] = limits.unwrap_or([usize::MAX; 2]);
        let count = steps.len();
        let load = Load {
            width: 1,
            limit: few.saturating_mul(count),
            least: 3 * count,
            span: self.plan.span * u32::try_from(count).unwrap_or(u32::MAX),
        };
        let make = |n: usize| (steps[n % count].make)(n / count);
        let right = |n: usize, answer: &Answer| (steps[n % count].right)(n / count, answer);
        let (narrow, _) = self.measure(load, &make, &right).await;
        let start = if limits.is_some() { few } else { 0 };
        for (at, step) in steps.iter().enumerate() {
            let narrow = half(&narrow.part(at, count), 0.0);
            let wide = if narrow.problem.is_some() {
                narrow.clone()
            } else if Duration::from_secs_f64(narrow.p50 * 64.0 / 1_000.0) > PATIENCE {
                Half { problem: Some("too slow".into()), ..Half::default() }
            } else {
                let load = Load { width: WIDTH, limit: many, least: 3, span: self.plan.span };
                let make = |n: usize| (step.make)(start + n);
                let right = |n: usize, answer: &Answer| (step.right)(start + n, answer);
                let (sample, cpu_s) = self.measure(load, &make, &right).await;
                half(&sample, cpu_s)
            };
            eprintln!(
                "  {:<42} 1: {:>9.1}/s {:>9.2} ms   {WIDTH}: {:>9.1}/s {:>9.2} ms, {:.2} ms CPU {}",
                step.name,
                narrow.rate,
                narrow.p50,
                wide.rate,
                wide.p50,
                wide.cpu_ms,
                wide.problem.as_deref().unwrap_or_default()
            );
            self.outcome.rows.push(Row { step: step.name.clone(), narrow, wide });
        }
    }

    /// Sends a load; gives what it brought and the seconds of processor that the server used meanwhile.
    async fn measure(
        &mut self,
        load: Load,
        make: &(impl Fn(usize) -> Request + Sync),
        right: &(impl Fn(usize, &Answer) -> bool + Sync),
    ) -> (Sample, f64) {
        let before = [cpu_s("self"), self.running.cpu_s()];
        let sample = drive(&self.running.target, load, make, right).await;
        let server = self.running.cpu_s() - before[1];
        let used = &mut self.cpu[usize::from(load.width > 1)];
        used[0] += cpu_s("self") - before[0];
        used[1] += server;
        (sample, server)
    }
}

type Make = Box<dyn Fn(usize) -> Request + Send + Sync>;
type Right = Box<dyn Fn(usize, &Answer) -> bool + Send + Sync>;

/// What is asked, by number, and whether an answer is right.
struct Step {
    name: String,
    make: Make,
    right: Right,
}

impl Step {
    fn new(name: &str, make: impl Fn(usize) -> Request + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), make: Box::new(make), right: Box::new(|_, _| true) }
    }

    fn right(self, right: impl Fn(usize, &Answer) -> bool + Send + Sync + 'static) -> Self {
        Self { right: Box::new(right), ..self }
    }
}

fn half(sample: &Sample, server_cpu_s: f64) -> Half {
    let count = sample.requests.len();
    let problem = sample.failures.first().map(|(_, first)| {
        format!(
            "{} of {count} failed: {}",
            sample.failures.len(),
            first.chars().take(200).collect::<String>()
        )
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of requests fits")]
    let cpu_ms = server_cpu_s * 1_000.0 / count.max(1) as f64;
    Half { rate: sample.rate(), p50: sample.per_mille(500), p99: sample.per_mille(990), cpu_ms, problem }
}

/// Visits all of `count` in an order that jumps.
fn spread(n: usize, count: usize) -> usize {
    n.wrapping_mul(7_919) % count
}

fn user_name(n: usize) -> String {
    format!("user{n:07}@example.com")
}

fn user(n: usize) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": user_name(n),
        "externalId": format!("E{n:07}"),
        "name": {"givenName": "Given", "familyName": format!("Family{n}")},
        "displayName": format!("Given Family{n}"),
        "title": "Engineer",
        "active": true,
        "emails": [{"type": "work", "primary": true, "value": user_name(n)}],
    })
}

fn group(size: usize, members: &[Value]) -> Value {
    json!({"schemas": [scim::urn::GROUP], "displayName": format!("Group of {size}"), "members": members})
}

fn patch_of(operation: &Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]})
}

fn text_at(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn holds(answer: &Answer, text: &str) -> bool {
    answer.body.windows(text.len()).any(|part| part == text.as_bytes())
}

fn is_page(answer: &Answer) -> bool {
    answer.json().is_ok_and(|body| body["Resources"].as_array().is_some_and(|page| page.len() == 100))
}

/// Percent-encodes what may not stand in a query.
fn url_part(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
