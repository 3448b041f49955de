//! For tests: a private PostgreSQL server, and one runner that gives a test every kind of store.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Location, OpenOptions, Store};

/// A fresh, empty PostgreSQL database on a server that this test process starts on first use and shares.
///
/// The server stops, and its files go, when the process ends in whatever way. A machine without a PostgreSQL server
/// fails the test.
pub fn postgres() -> Location {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(HASTY)).fresh_database()
}

/// The same on a server that makes every commit durable, for measurements.
pub fn durable_postgres() -> Location {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(DURABLE)).fresh_database()
}

const HASTY: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB";
const DURABLE: &str = "-c fsync=on -c synchronous_commit=on -c full_page_writes=on -c shared_buffers=512MB";

/// Runs a test on a SQLite file, on SQLite in memory without a thread, and on PostgreSQL. `options` are made anew for
/// each; `create` is set. The name that is passed tells which one it is.
pub fn on_each(options: impl Fn() -> OpenOptions, test: impl Fn(&str, Store)) {
    let options = || OpenOptions { create: true, ..options() };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = Location::Sqlite(folder.path().join("test.db"));
    let opened: [(&str, Store); 3] = [
        ("sqlite", Store::open(&file, options()).expect("SQLite opens")),
        ("inline", Store::open_inline_with(options()).expect("SQLite opens in memory")),
        ("postgres", Store::open(&postgres(), options()).expect("PostgreSQL opens")),
    ];
    for (name, store) in opened {
        // Shown only when the test fails.
        println!("on {name}:");
        test(name, store);
    }
}

/// A running server.
struct Cluster {
    folder: PathBuf,
    tools: PathBuf,
    databases: AtomicU64,
    // Its standard input closes when this process ends, which makes it stop the server.
    _watchdog: Child,
}

impl Cluster {
    fn start(durability: &str) -> Cluster {
        let tools = tools();
        let folder = tempfile::Builder::new()
            .prefix("lockstep-pg-")
            .tempdir()
            .expect("a temporary folder can be made");
        // The watchdog removes it: statics are never dropped.
        let folder = folder.keep();
        let as_root = std::fs::metadata(&folder).expect("the folder was just made").uid() == 0;
        if as_root {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let watchdog = watch(&folder);
        let data = folder.join("data");
        make_data(&tools, as_root, &data);
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=300 {durability}",
            folder.display()
        );
        run(server_tool(&tools, "pg_ctl", as_root)
            .args(["start", "-w", "-t", "60"])
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(folder.join("log"))
            .arg("-o")
            .arg(settings));
        Cluster { folder, tools, databases: AtomicU64::new(0), _watchdog: watchdog }
    }

    fn fresh_database(&self) -> Location {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        run(Command::new(self.tools.join("createdb")).arg("-h").arg(&self.folder).args([
            "-U",
            "postgres",
            "-T",
            "template0",
            &name,
        ]));
        let folder = self.folder.to_str().expect("temporary folders have UTF-8 names").replace('/', "%2F");
        Location::Postgres(format!("postgres://postgres@{folder}/{name}"))
    }
}

/// The folder of PostgreSQL's server tools: the newest installed, else what PATH finds.
fn tools() -> PathBuf {
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut installed: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("bin/initdb").exists())
        .filter_map(|path| Some((version(&path)?, path.join("bin"))))
        .collect();
    installed.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let newest = installed.pop().map(|(_, bin)| bin);
    newest.or_else(|| std::env::split_paths(&on_path).find(|bin| bin.join("initdb").exists())).expect(
        "these tests need a PostgreSQL server: initdb is neither in /usr/lib/postgresql/*/bin nor on PATH \
         (Debian: apt-get install postgresql)",
    )
}

/// PostgreSQL refuses to run as root: then it runs as its own user.
fn server_tool(tools: &Path, tool: &str, as_root: bool) -> Command {
    let tool = tools.join(tool);
    if !as_root {
        return Command::new(tool);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(tool);
    // The current folder may be closed to that user.
    command.current_dir("/");
    command
}

fn make_data(tools: &Path, as_root: bool, data: &Path) {
    let initdb = |locale: &[&str]| {
        let mut command = server_tool(tools, "initdb", as_root);
        command.arg("-D").arg(data).args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
        ]);
        command.args(locale);
        command
    };
    // Not C: order must not depend on the server's locale, and this one differs from it. Before version 15 there is none.
    let mut with_locale = initdb(&["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]);
    if !with_locale.output().is_ok_and(|done| done.status.success()) {
        run(&mut initdb(&["--no-locale"]));
    }
}

/// Starts a shell that waits for the end of this process, stops the server and removes its folder.
fn watch(folder: &Path) -> Child {
    let script = "trap '' INT TERM HUP; cat >/dev/null; \
                  pid=$(head -n 1 \"$1/data/postmaster.pid\") && kill -QUIT $pid && \
                  for _ in $(seq 100); do kill -0 $pid || break; sleep 0.1; done; rm -rf \"$1\"";
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh can be started")
}

fn run(command: &mut Command) {
    let shown = format!("{command:?}");
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert!(
        done.status.success(),
        "{shown} failed: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
