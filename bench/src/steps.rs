//! What is asked of every server, in the same order and by the same client.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::contenders::{Running, cpu_s};
use crate::http::{Answer, Client, Load, Request, Sample, drive};

/// Callers at the same time in the wide half of a measurement.
pub const WIDTH: usize = 64;
/// Users beside the counted ones that join and leave groups.
const SPARE: usize = 800;
/// Members of one request when a group is too large for a single one.
const CHUNK: usize = 1_000;
/// A wide measurement is left out when it would take longer than this by what one caller saw.
const PATIENCE: Duration = Duration::from_secs(20);

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
    /// Requests measured.
    pub requests: usize,
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
        let created = std::sync::Mutex::new(vec![String::new(); all]);
        let load = Load { width: WIDTH, limit: all, span: Duration::from_secs(86_400) };
        let keep = |n: usize, answer: &Answer| {
            let id = answer.json().ok().and_then(|body| body["id"].as_str().map(str::to_owned));
            let mut created = created.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            created[n] = id.unwrap_or_default();
            answer.status == 201
        };
        let sample =
            drive(&running.target, load, &|n| Request::with("POST", "/Users", &user(n)), &keep).await;
        if let Some(failure) = sample.first_failure {
            return Err(format!("it could not be filled: {failure}").into());
        }
        let outcome = Outcome { fill: sample.rate(), ..Outcome::default() };
        let ids = created.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Self { running, plan: plan.clone(), ids, cpu: [[0.0; 2]; 2], outcome })
    }

    /// Every step.
    pub async fn run(mut self) -> Result<Outcome> {
        self.reads().await?;
        let ids = self.ids.clone();
        let users = self.plan.users;
        let patch = move |n: usize| {
            let operation = json!({"op": "replace", "path": "title", "value": format!("Title {n}")});
            Request::with("PATCH", format!("/Users/{}", ids[spread(n, users)]), &patch_of(&operation))
        };
        self.step("PATCH user", None, &patch, &|_, _| true).await;
        for size in self.plan.groups.clone() {
            self.group(size).await?;
        }
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
        let load = |width| Load { width, limit: usize::MAX, span: self.plan.span };
        let make = |_: usize| Request::get(path);
        let narrow = half(&drive(&running, load(1), &make, &|_, _| true).await);
        let wide = half(&drive(&running, load(WIDTH), &make, &|_, _| true).await);
        self.outcome.rows.push(Row { step: "a constant".into(), narrow, wide });
    }

    async fn reads(&mut self) -> Result<()> {
        let (ids, users) = (self.ids.clone(), self.plan.users);
        let id_of = move |n: usize| ids[spread(n, users)].clone();
        let name_of = move |n: usize| user_name(spread(n, users));
        let holds_name = move |n: usize, answer: &Answer| holds(answer, &name_of(n));
        self.step("GET user", None, &|n| Request::get(format!("/Users/{}", id_of(n))), &holds_name).await;
        let by_name = |n: usize| Request::get(format!("/Users?filter=userName%20eq%20%22{}%22", name_of(n)));
        self.step("userName eq", None, &by_name, &holds_name).await;
        let by_email = |n: usize| {
            let filter = format!("emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22{}%22", name_of(n));
            Request::get(format!("/Users?filter={filter}"))
        };
        self.step("emails[type eq \"work\"].value eq", None, &by_email, &holds_name).await;
        let hundred = |n: usize, answer: &Answer| !n.is_multiple_of(16) || is_page(answer);
        let first = |_: usize| Request::get("/Users?startIndex=1&count=100");
        self.step("list 100, first", None, &first, &hundred).await;
        let deep = users / 10 * 9;
        let inside = move |_: usize| Request::get(format!("/Users?startIndex={deep}&count=100"));
        self.step("list 100, index at 90 %", None, &inside, &hundred).await;
        let start = |_: usize| Request::get("/Users?cursor=&count=100");
        self.step("list 100, first by cursor", None, &start, &hundred).await;
        match self.cursor_at(deep).await {
            Ok(cursor) => {
                let inside = move |_: usize| Request::get(format!("/Users?cursor={cursor}&count=100"));
                self.step("list 100, cursor at 90 %", None, &inside, &hundred).await;
            }
            Err(error) => {
                let missing = Half { problem: Some(error.to_string()), ..Half::default() };
                let step = "list 100, cursor at 90 %".into();
                self.outcome.rows.push(Row { step, narrow: missing.clone(), wide: missing });
            }
        }
        Ok(())
    }

    /// Walks to a cursor that has about so many users before it.
    async fn cursor_at(&self, deep: usize) -> Result<String> {
        let mut client = Client::new(&self.running.target);
        let (mut cursor, mut seen) = (String::new(), 0);
        while seen < deep {
            let path = format!("/Users?cursor={cursor}&count=1000&attributes=userName");
            let page = client.send(&Request::get(path)).await?.success("a cursor")?.json()?;
            seen += page["Resources"].as_array().map_or(0, Vec::len);
            let next = page["nextCursor"].as_str().ok_or("no cursors")?;
            cursor = url_part(next);
        }
        Ok(cursor)
    }

    async fn group(&mut self, size: usize) -> Result<()> {
        let members: Vec<Value> = self.ids[..size].iter().map(|id| json!({"value": id})).collect();
        let mut client = Client::new(&self.running.target);
        let whole = group(size, &members);
        let mut answer = client.send(&Request::with("POST", "/Groups", &whole)).await?;
        if !(200..300).contains(&answer.status) {
            answer = client.send(&Request::with("POST", "/Groups", &group(size, &[]))).await?;
            let id = text_at(&answer.json()?, "id");
            for chunk in members.chunks(CHUNK) {
                let operation = json!({"op": "add", "path": "members", "value": chunk});
                let request = Request::with("PATCH", format!("/Groups/{id}"), &patch_of(&operation));
                client.send(&request).await?.success("members")?;
            }
        }
        let path = format!("/Groups/{}", text_at(&answer.success("a group")?.json()?, "id"));
        let spare = self.ids[self.plan.users..].to_vec();
        let add = |n: usize| {
            let operation =
                json!({"op": "add", "path": "members", "value": [{"value": spare[n % spare.len()]}]});
            Request::with("PATCH", path.clone(), &patch_of(&operation))
        };
        let remove = |n: usize| {
            let filter = format!("members[value eq \"{}\"]", spare[n % spare.len()]);
            Request::with("PATCH", path.clone(), &patch_of(&json!({"op": "remove", "path": filter})))
        };
        self.step(&format!("add a member to {size}"), Some([100, SPARE - 100]), &add, &|_, _| true).await;
        self.step(&format!("remove a member from {size}"), Some([100, SPARE - 100]), &remove, &|_, _| true)
            .await;
        let without = |_: usize| Request::get(format!("{path}?excludedAttributes=members"));
        let lacks = |n: usize, answer: &Answer| !n.is_multiple_of(16) || !holds(answer, "\"members\"");
        self.step(&format!("GET a group of {size} without members"), None, &without, &lacks).await;
        Ok(())
    }

    async fn create_and_delete(&mut self) {
        let created = std::sync::Mutex::new(vec![]);
        let next = std::sync::atomic::AtomicUsize::new(self.plan.users + SPARE);
        let make = |_: usize| {
            let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Request::with("POST", "/Users", &user(n))
        };
        let keep = |_: usize, answer: &Answer| {
            let id = answer.json().map(|body| text_at(&body, "id")).unwrap_or_default();
            created.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(id);
            answer.status == 201
        };
        self.step("create", None, &make, &keep).await;
        let created = created.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let delete = |n: usize| {
            let id = created.get(n).cloned().unwrap_or_default();
            Request { method: "DELETE", path: format!("/Users/{id}"), body: None }
        };
        let half = (created.len() / 2).max(1);
        self.step("delete", Some([half, half]), &delete, &|_, _| true).await;
    }

    /// Both halves of a step. With limits, the wide half goes on where the narrow one had to stop.
    async fn step(
        &mut self,
        step: &str,
        limits: Option<[usize; 2]>,
        make: &(impl Fn(usize) -> Request + Sync),
        right: &(impl Fn(usize, &Answer) -> bool + Sync),
    ) {
        let [few, many] = limits.unwrap_or([usize::MAX; 2]);
        let narrow = self.measure(1, few, make, right).await;
        let expected = Duration::from_secs_f64(narrow.p50 * 64.0 / 1_000.0);
        let wide = if narrow.problem.is_some() {
            narrow.clone()
        } else if expected > PATIENCE {
            Half { problem: Some("too slow".into()), ..Half::default() }
        } else {
            let start = if limits.is_some() { few } else { 0 };
            self.measure(WIDTH, many, &|n| make(start + n), &|n, answer| right(start + n, answer)).await
        };
        eprintln!(
            "  {step:<42} 1: {:>9.1}/s {:>9.2} ms   {WIDTH}: {:>9.1}/s {:>9.2} ms {}",
            narrow.rate,
            narrow.p50,
            wide.rate,
            wide.p50,
            wide.problem.as_deref().unwrap_or_default()
        );
        self.outcome.rows.push(Row { step: step.to_owned(), narrow, wide });
    }

    async fn measure(
        &mut self,
        width: usize,
        limit: usize,
        make: &(impl Fn(usize) -> Request + Sync),
        right: &(impl Fn(usize, &Answer) -> bool + Sync),
    ) -> Half {
        let before = [cpu_s("self"), self.running.cpu_s()];
        let load = Load { width, limit, span: self.plan.span };
        let sample = drive(&self.running.target, load, make, right).await;
        let used = &mut self.cpu[usize::from(width > 1)];
        used[0] += cpu_s("self") - before[0];
        used[1] += self.running.cpu_s() - before[1];
        half(&sample)
    }
}

fn half(sample: &Sample) -> Half {
    let problem = sample.first_failure.as_ref().map(|first| {
        let count = sample.micros.len();
        format!("{} of {count} failed: {}", sample.failed, first.chars().take(200).collect::<String>())
    });
    let (p50, p99) = (sample.per_mille(500), sample.per_mille(990));
    Half { rate: sample.rate(), p50, p99, requests: sample.micros.len(), problem }
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
