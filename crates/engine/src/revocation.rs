//! The feed of deactivations and deletions, in the order of the audit log: for polls, and for webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::TenantId;
use domain::revocation::Revocation;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use store::repo::audit;

use crate::audit_log;
use crate::context::Engine;
use crate::error::EngineError;

/// A part of the feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feed {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Where the next part begins: pass it as `after`. Nothing before it is missing.
    pub next: String,
}

/// One event of the feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its place in the feed.
    pub cursor: String,
    /// The user name at that time.
    pub user_name: Option<String>,
    /// The claims of its security event token (RFC 9967 section 2).
    pub set: Value,
}

/// Events after a cursor (empty: from the first; `end`: none, to learn where the end is). Everything that was committed
/// before the call is in it.
pub async fn revocations(
    engine: &Engine,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Result<Feed, EngineError> {
    let head = sealed_head(engine, tenant).await?;
    let after = match after {
        "" => 0,
        "end" => head,
        number => number.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(|| {
            EngineError::Invalid(format!(
                "'{number}' is no cursor; pass the 'next' of an earlier answer, nothing for the first events, or end"
            ))
        })?,
    };
    let found = load(engine, tenant, after, limit).await?;
    let full = found.len() >= limit;
    let next = found.last().filter(|_| full).map_or(head.max(after), |last| last.cursor);
    let events = found
        .into_iter()
        .map(|event| Event {
            cursor: event.cursor.to_string(),
            set: event.claims(tenant, None),
            user_name: event.user_name,
        })
        .collect();
    Ok(Feed { events, next: next.to_string() })
}

/// Events after a number of the audit log, oldest first. Give only numbers up to [`sealed_head`].
pub(crate) async fn load(
    engine: &Engine,
    tenant: &TenantId,
    after: i64,
    limit: usize,
) -> Result<Vec<Revocation>, EngineError> {
    let (tenant, limit) = (tenant.clone(), i64::try_from(limit).unwrap_or(i64::MAX));
    let entries = engine.read(move |tx| Ok(audit::revoked_after(tx, &tenant, after, limit)?)).await?;
    Ok(entries
        .iter()
        .filter_map(|recorded| Revocation::of(recorded.seq.unwrap_or_default(), &recorded.entry))
        .collect())
}

/// Numbers what is committed, and gives the last number.
pub(crate) async fn sealed_head(engine: &Engine, tenant: &TenantId) -> Result<i64, EngineError> {
    let owner = tenant.clone();
    if engine.read(move |tx| Ok(audit::count_unsealed(tx, &owner)?)).await? > 0 {
        audit_log::seal(engine, tenant).await?;
    }
    let owner = tenant.clone();
    Ok(engine.read(move |tx| Ok(audit::head(tx, &owner)?)).await?.0)
}

/// A security event token: claims signed with HMAC-SHA-256 (RFC 7515 appendix A.1, RFC 8417 section 2.3).
pub fn sign(claims: &Value, secret: &str) -> String {
    let header = r#"{"alg":"HS256","typ":"secevent+jwt"}"#;
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_three_parts_and_its_signature_is_that_of_other_tools() {
        // printf '%s' HEADER.CLAIMS | openssl dgst -sha256 -hmac secret -binary | basenc --base64url
        let token = sign(&json!({"jti": "e1"}), "secret");
        assert_eq!(
            token,
            concat!(
                "eyJhbGciOiJIUzI1NiIsInR5cCI6InNlY2V2ZW50K2p3dCJ9.eyJqdGkiOiJlMSJ9.",
                "k2tBAcYI9c_Y6IrDwFKIMcDE7-7qh3OOVUK99YDvurM"
            )
        );
    }
}
