//! HTTP messages as plain values: what a request carries and how the app replies.

use scim::ScimError;
use serde_json::Value;

/// The media type of every SCIM body (RFC 7644 section 3.1).
pub(crate) const SCIM_JSON: &str = "application/scim+json";

/// One HTTP request, already read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method in upper case, for example `POST`.
    pub method: String,
    /// Path and query exactly as sent, for example `/scim/v2/Users?count=2`.
    pub path: String,
    /// Header names and values in the order sent; names compare without case.
    pub headers: Vec<(String, String)>,
    /// The body, empty when there was none.
    pub body: Vec<u8>,
}

/// One HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body, possibly empty.
    pub body: Vec<u8>,
}

/// What the caller gets to see of a request that the app has worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer that arrives `delay_ms` milliseconds after the request.
    Answer {
        /// The answer.
        response: Response,
        /// Milliseconds between the request and the answer.
        delay_ms: u64,
    },
    /// The connection closes without an answer; the change may be committed or not.
    Reset {
        /// Milliseconds between the request and the close.
        delay_ms: u64,
    },
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// The same request with a header added.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same request with a SCIM JSON body.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with_header("content-type", SCIM_JSON)
    }

    /// The first value of a header, its name compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }
}

impl Response {
    /// An answer with a SCIM JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
            .with_header("content-type", SCIM_JSON)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An HTML page, as proxies in front of an app answer.
    pub fn html(status: u16, title: &str) -> Self {
        let page = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self { status, headers: Vec::new(), body: page.into_bytes() }
            .with_header("content-type", "text/html; charset=utf-8")
    }

    /// A SCIM error message (RFC 7644 section 3.12).
    pub fn error(status: u16, detail: &str) -> Self {
        ScimError::new(status, None, detail).into()
    }

    /// The same answer with a header added.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The first value of a header, its name compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The body as JSON, if it is JSON.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl From<ScimError> for Response {
    fn from(error: ScimError) -> Self {
        Self::json(error.status, &error.to_json())
    }
}

impl Reply {
    /// An answer without delay.
    pub fn at_once(response: Response) -> Self {
        Self::Answer { response, delay_ms: 0 }
    }

    /// The answer, unless the connection is reset.
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Answer { response, .. } => Some(response),
            Self::Reset { .. } => None,
        }
    }

    /// Milliseconds between the request and what the caller sees.
    pub fn delay_ms(&self) -> u64 {
        match self {
            Self::Answer { delay_ms, .. } | Self::Reset { delay_ms } => *delay_ms,
        }
    }

    /// Makes the reply arrive `ms` milliseconds later.
    pub fn delay_by(&mut self, ms: u64) {
        match self {
            Self::Answer { delay_ms, .. } | Self::Reset { delay_ms } => {
                *delay_ms = delay_ms.saturating_add(ms);
            }
        }
    }
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}
