//! The app in a process of its own, on this machine, without latency.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::Result;
use crate::clock::now_ms;

/// The app in a process of its own.
pub struct Target {
    child: Child,
    /// Its base URL.
    pub url: String,
}

impl Target {
    /// Starts this very program with `--serve`.
    pub fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdout(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, url: line.trim().to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the app. PATCH is answered with 204: an app that renders a whole group instead does so on its own account.
pub async fn serve() -> Result<()> {
    let config = simapp::Config { patch_204: true, ..simapp::Config::default() };
    let app = Arc::new(std::sync::Mutex::new(simapp::App::new(config)));
    let running = simapp::serve(app, "127.0.0.1:0".parse()?, Arc::new(now_ms)).await?;
    println!("http://{}/scim/v2", running.addr);
    std::io::stdout().flush()?;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    Ok(())
}
