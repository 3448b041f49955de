//! The servers that are measured: ours and two by other authors, each as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::http::{Client, Request, Target};

const TOKEN: &str = "token-of-the-measurement";
const DATABASE: &str = "bench.db";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// `lockstep serve` on SQLite with its defaults.
    Lockstep,
    /// `scim2-server` in Python, in memory, with cursors switched on.
    Scim2Server,
    /// `scimmy-routers` on Express 4 in Node.js, in memory.
    ScimmyRouters,
}

impl Contender {
    /// All of them, ours first.
    pub const ALL: [Self; 3] = [Self::Lockstep, Self::Scim2Server, Self::ScimmyRouters];

    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lockstep => "lockstep",
            Self::Scim2Server => "scim2-server",
            Self::ScimmyRouters => "scimmy-routers",
        }
    }
}

/// Where programs are found; relative to the root of the repository.
pub struct Programs {
    /// Our binary.
    pub lockstep: PathBuf,
}

impl Programs {
    /// Installs the foreign servers below `.prove` and builds ours, unless a binary is named.
    pub fn prepare(binary: Option<PathBuf>, contenders: &[Contender]) -> Result<Self> {
        let mut todo = vec!["source scripts/proofs/endpoint/prepare"];
        if contenders.contains(&Contender::Scim2Server) {
            todo.push("prepare_judges");
        }
        if contenders.contains(&Contender::ScimmyRouters) {
            todo.push("prepare_apps");
        }
        if binary.is_none() && contenders.contains(&Contender::Lockstep) {
            todo.push("prepare_binary");
        }
        todo.push("echo \"binary ${LOCKSTEP_BINARY:-}\"");
        let done = Command::new("bash").args(["-euc", &todo.join("; ")]).stderr(Stdio::inherit()).output()?;
        if !done.status.success() {
            return Err(
                "what is measured could not be installed; run this from the root of the repository".into()
            );
        }
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let built = said.lines().find_map(|line| line.strip_prefix("binary ")).unwrap_or_default();
        Ok(Self { lockstep: binary.unwrap_or_else(|| PathBuf::from(built)) })
    }
}

/// A server that runs; it ends with this value.
pub struct Running {
    /// Where it answers.
    pub target: Target,
    /// The database of ours.
    pub database: Option<PathBuf>,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts one that holds nothing and waits until it answers.
    pub async fn start(contender: Contender, programs: &Programs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (child, target) = match contender {
            Contender::Lockstep => lockstep(&programs.lockstep, folder.path())?,
            Contender::Scim2Server => scim2_server(folder.path())?,
            Contender::ScimmyRouters => scimmy_routers(folder.path())?,
        };
        let database = (contender == Contender::Lockstep).then(|| folder.path().join(DATABASE));
        let running = Self { target, database, child, _folder: folder };
        for _ in 0..600 {
            let asked = Client::new(&running.target).send(&Request::get("/Users?count=1")).await;
            if asked.is_ok_and(|answer| answer.status == 200) {
                return Ok(running);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("{} does not answer", contender.name()).into())
    }

    /// One more tenant of ours.
    pub fn another(&self, programs: &Programs, name: &str) -> Result<Target> {
        let database = self.database.as_ref().ok_or("only ours has tenants")?;
        Ok(Target { token: tenant(&programs.lockstep, database, name)?, ..self.target.clone() })
    }

    /// Its memory at its highest since the start or the last [`Self::forget_peak`], in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// From now on the peak is counted anew.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor that it used so far.
    pub fn cpu_s(&self) -> f64 {
        cpu_s(&self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor that a process (`self` for this one) used so far; the kernel counts hundredths.
pub fn cpu_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

/// A command of ours on a database.
fn command(binary: &Path, database: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).env("LOCKSTEP_DATABASE", database).env("LOCKSTEP_KEY", "5a".repeat(32));
    command.stdin(Stdio::null());
    command
}

/// A new tenant; gives the token of its connection.
fn tenant(binary: &Path, database: &Path, name: &str) -> Result<String> {
    let run = |arguments: &[&str]| -> Result<String> {
        let done = command(binary, database, arguments).stderr(Stdio::inherit()).output()?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() { Ok(said) } else { Err(format!("lockstep {arguments:?}: {said}").into()) }
    };
    run(&["tenant", "create", name])?;
    let made = run(&["-o", "json", "--tenant", name, "connection", "add", "generic", "bench"])?;
    // The limits of a token are not what is measured.
    run(&["--tenant", name, "connection", "set", "bench", "--rate", "100000", "--concurrency", "1000"])?;
    let made: serde_json::Value = serde_json::from_str(&made)?;
    Ok(made["token"].as_str().ok_or("no token")?.to_owned())
}

fn lockstep(binary: &Path, folder: &Path) -> Result<(Child, Target)> {
    let database = folder.join(DATABASE);
    let token = tenant(binary, &database, "bench")?;
    let mut serve = command(binary, &database, &["serve", "--listen", "127.0.0.1:0", "--quiet"]);
    let mut child = serve.stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    let authority = said.trim().rsplit("http://").next().unwrap_or_default().to_owned();
    Ok((child, Target { authority, base: "/scim/v2".into(), token }))
}

fn scim2_server(folder: &Path) -> Result<(Child, Target)> {
    let config = folder.join("config.json");
    // Cursors are off unless its configuration has them.
    let pagination = serde_json::json!({"cursor": true, "index": true, "defaultPaginationMethod": "index"});
    let supported = serde_json::json!({"supported": true});
    let document = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": supported, "sort": supported, "etag": supported, "changePassword": {"supported": false},
        "bulk": {"supported": true, "maxOperations": 1000, "maxPayloadSize": 10_000_000},
        "filter": {"supported": true, "maxResults": 1000},
        "pagination": pagination, "authenticationSchemes": [],
    });
    std::fs::write(&config, document.to_string())?;
    let port = free_port()?;
    let child = Command::new(".prove/judges/bin/python")
        .args(["-B", "scripts/proofs/endpoint/scim2_app.py"])
        .args(["--port", &port.to_string(), "--bearer-token", TOKEN, "--service-provider-config"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((child, Target { authority: format!("127.0.0.1:{port}"), base: "/v2".into(), token: TOKEN.into() }))
}

fn scimmy_routers(folder: &Path) -> Result<(Child, Target)> {
    let token = folder.join("token");
    std::fs::write(&token, TOKEN)?;
    // Node.js finds packages from the program's own folder upwards.
    let program = ".prove/node/scimmy_app.mjs";
    std::fs::copy("scripts/proofs/real_apps/scimmy_app.mjs", program)?;
    let port = free_port()?;
    let child = Command::new("node")
        .args([program, &port.to_string()])
        .arg(token)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((child, Target { authority: format!("127.0.0.1:{port}"), base: "/scim".into(), token: TOKEN.into() }))
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
