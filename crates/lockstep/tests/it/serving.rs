//! The real server as a process, and a plain HTTP client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::bench::Folder;

/// A running `lockstep serve` with a token of one connection.
pub(crate) struct Serving {
    child: Child,
    address: String,
    token: String,
}

impl Serving {
    /// Makes a tenant and a connection of this identity provider, both in the folder, and serves.
    pub(crate) fn start(folder: &Folder, database: &str, provider: &str) -> Self {
        let run = |arguments: &[&str]| folder.ok(&[&["--database", database], arguments].concat());
        run(&["tenant", "create", "acme"]);
        run(&["connection", "add", provider, provider]);
        let token =
            run(&["token", "create", "--connection", provider, "--name", "test"]).out.trim().to_owned();
        Self::serve(folder, database, token, &[])
    }

    /// Serves what [`Serving::start`] made, with more options.
    pub(crate) fn again(folder: &Folder, database: &str, options: &[&str]) -> Self {
        Self::serve(folder, database, String::new(), options)
    }

    fn serve(folder: &Folder, database: &str, token: String, options: &[&str]) -> Self {
        let mut child = folder
            .command()
            .args(["--database", database, "serve", "--listen", "127.0.0.1:0", "--quiet"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect("it says where").to_owned();
        Self { child, address, token }
    }

    /// A connection that stays open.
    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        Client { stream: BufReader::new(stream), token: self.token.clone() }
    }

    /// Ends it as an operator does, and waits for the end.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        let asked = std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(asked.success() && self.child.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends requests one after the other.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    /// Status and body of the answer.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /scim/v2{path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\ncontent-type: application/scim+json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let text = line.trim_end().to_ascii_lowercase();
            if text.is_empty() {
                break;
            }
            if let Some(rest) = text.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = text.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            }
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// The answer must have this status.
    #[track_caller]
    pub(crate) fn expect(&mut self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (got, answer) = self.send(method, path, body);
        assert_eq!(got, status, "{method} {path}: {answer}");
        answer
    }
}
