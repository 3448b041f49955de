//! A small HTTP client: one connection per request, so that nothing is shared between two of them.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where requests go, and as whom.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Stands before every path.
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// One request to be sent.
pub(crate) struct Ask<'c> {
    client: &'c Client,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body as it came.
    pub(crate) text: String,
    /// The body as JSON; null if there is none.
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask {
            client: self,
            method: method.to_owned(),
            path: format!("{}{path}", self.base),
            headers: vec![("authorization".to_owned(), format!("Bearer {}", self.token))],
            body: vec![],
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path).body(&body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path).body(&body).send().await
    }

    /// A PATCH with these operations.
    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = serde_json::json!({"schemas": [scim::urn::PATCH_OP], "Operations": operations});
        self.ask("PATCH", path).body(&body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path).send().await
    }

    /// A list, its filter and the rest of its query given apart.
    pub(crate) async fn filter(&self, path: &str, filter: &str, rest: &str) -> Answer {
        self.get(&format!("{path}?filter={}{rest}", escape(filter))).await
    }

    /// The names of what a filter finds, sorted.
    pub(crate) async fn names(&self, path: &str, filter: &str) -> Vec<String> {
        let answer = self.filter(path, filter, "").await.expect(200);
        let mut names = answer.list("userName");
        names.extend(answer.list("displayName").into_iter().filter(|_| path.ends_with("Groups")));
        names.sort();
        assert_eq!(answer.body["totalResults"], names.len(), "{filter}: {}", answer.text);
        names
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn body(self, body: &Value) -> Self {
        self.bytes(body.to_string()).header("content-type", "application/scim+json")
    }

    pub(crate) fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// The path as it stands, without the base.
    pub(crate) fn whole_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let stream = TcpStream::connect(self.client.address).await.expect("the server listens");
        match &self.client.tls {
            None => self.speak(stream).await,
            Some(config) => {
                let name = ServerName::try_from("localhost").expect("it is a name");
                let stream = TlsConnector::from(config.clone()).connect(name, stream).await;
                self.speak(stream.expect("the handshake succeeds")).await
            }
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Answer {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(self.method.as_str()).uri(&self.path).header("host", "test");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body))).expect("the request is well formed");
        let answer = sender.send_request(request).await.expect("it answers");
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.expect("the answer is complete").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("answers are UTF-8");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: head.status.as_u16(), headers: head.headers, text, body }
    }
}

impl Answer {
    /// Fails unless it has this status; an error must be a SCIM error whose detail ends with the trace code.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        if status >= 400 {
            self.check_error();
        }
        self
    }

    /// Fails unless it is this error.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, scim_type: &str) -> Self {
        let answer = self.expect(status);
        let found = answer.body["scimType"].as_str().unwrap_or_default();
        assert_eq!(found, scim_type, "{}", answer.text);
        answer
    }

    #[track_caller]
    fn check_error(&self) {
        assert_eq!(self.body["schemas"][0], scim::urn::ERROR, "{}", self.text);
        assert_eq!(self.body["status"], self.status.to_string(), "{}", self.text);
        let detail = self.body["detail"].as_str().unwrap_or_default();
        let trace = self.header("x-request-id");
        assert!(detail.len() > trace.len() + 12, "it says what is wrong: {}", self.text);
        assert!(!trace.is_empty() && detail.ends_with(&format!("[trace {trace}]")), "{detail} | {trace}");
        assert_eq!(self.header("content-type"), "application/scim+json");
    }

    /// A header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The id of the resource.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("it has an id: {}", self.text)).to_owned()
    }

    /// `meta.version`; the header says the same.
    #[track_caller]
    pub(crate) fn version(&self) -> String {
        let version = self.body["meta"]["version"].as_str().unwrap_or_default().to_owned();
        assert!(!version.is_empty() && self.header("etag") == version, "{:?} {}", self.headers, self.text);
        version
    }

    /// The `detail` of an error.
    pub(crate) fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// One text attribute of every resource of a list, in its order.
    pub(crate) fn list(&self, attribute: &str) -> Vec<String> {
        self.resources().iter().filter_map(|found| Some(found[attribute].as_str()?.to_owned())).collect()
    }

    /// The resources of a list.
    pub(crate) fn resources(&self) -> &[Value] {
        self.body["Resources"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The values inside a list attribute, sorted.
    pub(crate) fn values(&self, attribute: &str) -> Vec<String> {
        let list = self.body[attribute].as_array().map_or(&[][..], Vec::as_slice);
        let mut values: Vec<String> =
            list.iter().filter_map(|element| Some(element["value"].as_str()?.to_owned())).collect();
        values.sort();
        values
    }
}

/// Percent-encoding of everything but letters and digits.
pub(crate) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
