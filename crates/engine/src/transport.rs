//! The only HTTP client: checks the target at connect time, follows no redirect, limits time and size of answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::app::AppSettings;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_platform_verifier::BuilderVerifierExt;
use zeroize::Zeroizing;

use crate::connectors::{HttpAnswer, HttpRequest, TransportError};
use crate::error::EngineError;

/// Bytes of an answer at most.
const BODY_CAP: usize = 16 * 1024 * 1024;
/// Bytes that are read of a body that nobody needs: a short one is read, so that the connection can be used again.
const UNUSED_CAP: usize = 64 * 1024;
const USER_AGENT: &str = concat!("Lockstep/", env!("CARGO_PKG_VERSION"));

/// A client for one app: its address, its credentials, its limits.
#[derive(Clone)]
pub struct Transport {
    client: reqwest::Client,
    base_url: String,
    token: Option<Arc<Zeroizing<String>>>,
}

impl Transport {
    /// A client for the app. The address must be HTTPS and public unless the app allows private targets.
    pub fn new(settings: &AppSettings, token: Option<Zeroizing<String>>) -> Result<Self, EngineError> {
        let url = check_base_url(&settings.base_url, settings.allow_private)?;
        let timeout = Duration::from_millis(settings.request_timeout_ms.max(100).unsigned_abs());
        #[expect(clippy::disallowed_methods, reason = "this is the one place that makes the HTTP client")]
        let builder = reqwest::Client::builder();
        // Without TLS no certificate is needed: there are no redirects.
        let builder = if url.starts_with("https:") {
            builder.tls_backend_preconfigured(tls()?)
        } else {
            builder.tls_certs_only([])
        };
        let client = builder
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .pool_max_idle_per_host(64)
            .tcp_nodelay(true)
            .dns_resolver(Arc::new(GuardedResolver { allow_private: settings.allow_private }))
            .build()
            .map_err(|error| EngineError::App(format!("the HTTP client cannot be made: {error}")))?;
        Ok(Self { client, base_url: url, token: token.map(Arc::new) })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|error| TransportError::NotSent(error.to_string()))?;
        let mut builder = self
            .client
            .request(method, format!("{}{}", self.base_url, request.path))
            .header("Accept", "application/scim+json, application/json");
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token.as_str());
        }
        if let Some(version) = &request.if_match {
            builder = builder.header("If-Match", version);
        }
        if let Some(body) = &request.body {
            builder = builder.header("Content-Type", "application/scim+json").body(body.clone());
        }
        let answer = builder.send().await.map_err(|error| classify(&error))?;
        // A change that was accepted is accepted, however long the object that comes with it: a large group, for one.
        let accepted = answer.status().is_success();
        let needs_body = !(accepted && matches!(request.method, "PATCH" | "PUT" | "DELETE"));
        let cap = if accepted && request.body_unused { UNUSED_CAP } else { BODY_CAP };
        let mut answer = read(answer, needs_body, cap).await?;
        if answer.status >= 400 {
            self.hide_token(&mut answer);
        }
        Ok(answer)
    }

    /// Posts a signed event to the base URL itself (RFC 8935 section 2); gives the status.
    pub async fn post_event(&self, token: String) -> Result<u16, TransportError> {
        let builder = self.client.post(&self.base_url).header("Accept", "application/json");
        let builder = builder.header("Content-Type", "application/secevent+jwt").body(token);
        let answer = builder.send().await.map_err(|error| classify(&error))?;
        Ok(read(answer, false, UNUSED_CAP).await?.status)
    }

    /// Some apps echo the token in their error; what is kept as evidence must not hold it (I15).
    fn hide_token(&self, answer: &mut HttpAnswer) {
        let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) else { return };
        let text = String::from_utf8_lossy(&answer.body);
        if text.contains(token.as_str()) {
            answer.body = text.replace(token.as_str(), "[token]").into_bytes();
        }
    }
}

/// What every TLS client of this process shares: the system's certificates are read once, when the first one is made.
fn tls() -> Result<rustls::ClientConfig, EngineError> {
    static SHARED: OnceLock<rustls::ClientConfig> = OnceLock::new();
    if let Some(config) = SHARED.get() {
        return Ok(config.clone());
    }
    let mut config = rustls::ClientConfig::builder()
        .with_platform_verifier()
        .map_err(|error| EngineError::App(format!("the system's certificates cannot be read: {error}")))?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(SHARED.get_or_init(|| config).clone())
}

/// Reads an answer. One that is too long fails if its body is needed; otherwise it is taken as if it had none.
async fn read(
    mut answer: reqwest::Response,
    needs_body: bool,
    cap: usize,
) -> Result<HttpAnswer, TransportError> {
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut read = HttpAnswer {
        status: answer.status().as_u16(),
        retry_after: header("retry-after"),
        etag: header("etag"),
        location: header("location"),
        body: vec![],
    };
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| TransportError::MayBeSent(describe(&error)))?
    {
        if read.body.len() + chunk.len() > cap {
            if !needs_body {
                read.body.clear();
                break;
            }
            return Err(TransportError::MayBeSent(format!("the answer is larger than {cap} bytes")));
        }
        read.body.extend_from_slice(&chunk);
    }
    Ok(read)
}

fn classify(error: &reqwest::Error) -> TransportError {
    // Connecting failed: no byte of the request can have reached the app.
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(describe(error))
    } else {
        TransportError::MayBeSent(describe(error))
    }
}

/// The chain of causes without the URL, which may hold personal data in a filter.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        source = cause.source();
    }
    if text.is_empty() { "the connection failed".into() } else { text }
}

/// Checks a base URL and gives it without trailing slashes. Names are checked again when they are resolved.
pub fn check_base_url(text: &str, allow_private: bool) -> Result<String, EngineError> {
    let invalid = |problem: String| EngineError::Invalid(format!("base URL '{text}': {problem}"));
    let url = url::Url::parse(text)
        .map_err(|error| invalid(format!("{error}; write it like https://app.example.com/scim/v2")))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => {
            return Err(invalid(
                "plain HTTP sends the token in clear; use https, or add --allow-private for a test".into(),
            ));
        }
        other => return Err(invalid(format!("'{other}' is not a web address; use https"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it holds credentials; give the token with --token-file instead".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must end before '?' and '#'".into()));
    }
    let address: Option<IpAddr> = match url.host() {
        Some(url::Host::Ipv4(address)) => Some(address.into()),
        Some(url::Host::Ipv6(address)) => Some(address.into()),
        Some(url::Host::Domain(_)) => None,
        None => return Err(invalid("it names no host".into())),
    };
    if address.is_some_and(|address| !allow_private && !is_public(address)) {
        return Err(invalid(
            "it is a loopback or private address; add --allow-private if that is meant".into(),
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// True for addresses of the public internet (IANA special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // NAT64 and 6to4 carry an IPv4 address that would have to be checked in turn.
            let embeds_v4 = segments[0] == 0x2002 || (segments[0] == 0x64 && segments[1] == 0xff9b);
            let global = (segments[0] & 0xe000) == 0x2000;
            global && !embeds_v4 && !(segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
        }
    }
}

struct GuardedResolver {
    allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                let problem = if found.is_empty() {
                    "has no address"
                } else {
                    "resolves to private addresses only; use --allow-private if that is meant"
                };
                return Err(format!("{} {problem}", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_odd_targets_are_refused_unless_allowed() {
        for url in [
            "http://app.example.com/scim",
            "https://127.0.0.1/scim",
            "https://127.1/scim",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://user:secret@app.example.com/",
            "https://app.example.com/scim?x=1",
            "ftp://app.example.com/",
            "not a url",
            "",
        ] {
            assert!(check_base_url(url, false).is_err(), "{url}");
        }
        assert_eq!(
            check_base_url("https://app.example.com/scim/v2/", false).unwrap(),
            "https://app.example.com/scim/v2"
        );
        assert_eq!(check_base_url("http://127.0.0.1:9/v2", true).unwrap(), "http://127.0.0.1:9/v2");
    }
}
