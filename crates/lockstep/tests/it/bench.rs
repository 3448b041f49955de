//! A bench for tests: a folder, the real binary, and a simulated app in this process behind real HTTP.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use simapp::{App, Config, Running};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What a run of the binary said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The run must have ended with this code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A folder in which the binary runs.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The binary in this folder, with a clean environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.path()).stdin(Stdio::null()).env_clear().env("NO_COLOR", "1");
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(self.command().args(arguments))
    }

    /// Runs the binary; it must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "lockstep {arguments:?}\nstdout:\n{}\nstderr:\n{}", said.out, said.err);
        said
    }
}

/// The real binary.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lockstep"))
}

/// Runs a command to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let done = command.output().unwrap();
    Said {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// A simulated app behind real HTTP.
pub(crate) struct Simulated {
    app: Arc<Mutex<App>>,
    running: Option<Running>,
    runtime: Runtime,
    base_path: String,
}

impl Simulated {
    pub(crate) fn start() -> Self {
        let config = Config { token: Some("sesame".into()), ..Config::default() };
        let base_path = config.base_path.clone();
        let app = Arc::new(Mutex::new(App::new(config)));
        let runtime = Runtime::new().unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let running = runtime.block_on(simapp::serve(app.clone(), address, Arc::new(now_ms))).unwrap();
        Self { app, running: Some(running), runtime, base_path }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, App> {
        self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn base_url(&self) -> String {
        format!("{}{}", self.running.as_ref().unwrap().url(), self.base_path)
    }

    pub(crate) fn add_fault(&self, text: &str) {
        self.lock().add_fault(simapp::Fault::parse(text).unwrap());
    }

    /// The userNames that a group holds, sorted.
    pub(crate) fn members(&self, group: &str) -> Vec<String> {
        let app = self.lock();
        let group = app.group_by_name(group).unwrap_or_else(|| panic!("no group {group}"));
        let ids = group["members"].as_array().cloned().unwrap_or_default();
        let name = |member: &Value| {
            let user = app.user(member["value"].as_str().unwrap()).expect("a member that exists");
            user["userName"].as_str().unwrap().to_owned()
        };
        let mut names: Vec<String> = ids.iter().map(name).collect();
        names.sort();
        names
    }

    /// Accounts by userName that are there and active, sorted.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let users = self.lock().users();
        let active = users.iter().filter(|user| user["active"] == true);
        let mut names: Vec<String> =
            active.map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Stops answering; the address refuses connections from now on.
    pub(crate) fn stop_and_keep_address(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

/// A web server that is no SCIM endpoint: every answer is a page, with status 200.
pub(crate) struct WebPage {
    address: std::net::SocketAddr,
}

impl WebPage {
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }
}

/// Starts one; its thread ends with the test process.
pub(crate) fn web_page() -> WebPage {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0_u8; 4_096];
            let _ = connection.read(&mut request);
            let body = "<!doctype html><html><title>Sign in</title></html>";
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            let _ = write!(connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    WebPage { address }
}

/// Unix milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary under test lives in real time, so its app must too"
)]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

const USERS: &str = "\
externalId,userName,displayName,title,userType,active
E-1,ada@acme.example,Ada Lovelace,Engineer,Employee,true
E-2,grace@acme.example,Grace Hopper,Admiral,Employee,true
E-3,linus@acme.example,Linus Contractor,,Contractor,true
E-4,tom@acme.example,Tom Leaver,,Employee,false
";
const GROUPS: &str = "externalId,displayName\nG-ALL,Everyone\nG-ENG,Engineering\nG-PLAT,Platform\n";
const MEMBERS: &str = "\
group,member
G-ALL,E-1
G-ALL,E-2
G-ALL,E-3
G-ALL,E-4
G-PLAT,E-1
G-PLAT,E-2
G-ENG,G-PLAT
";

/// The files of a small directory, and the token of the simulated app.
pub(crate) fn small_directory() -> Folder {
    let folder = Folder::new();
    folder.file("users.csv", USERS);
    folder.file("groups.csv", GROUPS);
    folder.file("members.csv", MEMBERS);
    folder.file("token", "sesame\n");
    folder
}

/// A small directory in an embedded database.
pub(crate) fn with_directory() -> Folder {
    let folder = small_directory();
    folder.ok(&["tenant", "create", "acme"]);
    folder.ok(&["directory", "load", "users.csv", "--groups", "groups.csv", "--members", "members.csv"]);
    folder
}

/// The directory with an active app: Everyone is assigned, all groups are pushed. Nothing is sent yet.
pub(crate) fn with_app(app: &Simulated) -> Folder {
    let folder = with_directory();
    folder.ok(&[
        "app",
        "add",
        "crm",
        "--base-url",
        &app.base_url(),
        "--token-file",
        "token",
        "--allow-private",
    ]);
    folder.ok(&[
        "app",
        "set",
        "crm",
        "--in-flight-window",
        "500ms",
        "--read-lag",
        "0s",
        "--request-timeout",
        "5s",
    ]);
    folder.ok(&["app", "assign", "crm", "--group", "Everyone"]);
    let groups = ["--group", "Everyone", "--group", "Engineering", "--group", "Platform"];
    folder.ok(&[["push-group", "add", "crm"].as_slice(), groups.as_slice()].concat());
    folder.ok(&["app", "activate", "crm", "--yes"]);
    folder
}
