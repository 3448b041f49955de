//! Sealing of secrets at rest: XChaCha20-Poly1305, bound to tenant, owner and name, with the key's id in the text.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::audit::hex;
use domain::ids::{IdSource, TenantId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::EngineError;

/// The key that seals secrets: 256 bits from a file or the environment.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    id: String,
}

/// Where a sealed secret belongs; it cannot be opened anywhere else.
#[derive(Clone, Copy, Debug)]
pub struct SecretName<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The app or other owner.
    pub owner: &'a str,
    /// For example `token`.
    pub name: &'a str,
}

impl SealingKey {
    /// Reads a key from 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let text = text.trim();
        let bytes = unhex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or_else(|| {
            EngineError::Invalid(format!(
                "the sealing key must be 64 hexadecimal digits, but has {} characters; make one with: openssl rand -hex 32",
                text.len()
            ))
        })?;
        let id = hex(&Sha256::digest(bytes))[..8].to_owned();
        Ok(Self { bytes: Zeroizing::new(bytes), id })
    }

    /// Seals a secret.
    pub fn seal(
        &self,
        place: SecretName<'_>,
        secret: &str,
        ids: &mut IdSource,
    ) -> Result<String, EngineError> {
        let mut nonce = [0_u8; 24];
        for chunk in nonce.chunks_mut(8) {
            chunk.copy_from_slice(&ids.bits().to_be_bytes());
        }
        let aad = associated(place);
        let payload = Payload { msg: secret.as_bytes(), aad: aad.as_bytes() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| EngineError::Invalid("the secret cannot be sealed".into()))?;
        Ok(format!("v1.{}.{}.{}", self.id, hex(&nonce), hex(&sealed)))
    }

    /// Opens a sealed secret.
    pub fn open(&self, place: SecretName<'_>, sealed: &str) -> Result<Zeroizing<String>, EngineError> {
        let parts: Vec<&str> = sealed.split('.').collect();
        let [_, key_id, nonce, text] = parts.as_slice() else { return Err(unreadable()) };
        if *key_id != self.id {
            return Err(EngineError::Invalid(format!(
                "the stored secret was sealed with key {key_id}, but the present key is {}; give the right one with LOCKSTEP_KEY or --key-file",
                self.id
            )));
        }
        let nonce = unhex(nonce).and_then(|bytes| <[u8; 24]>::try_from(bytes).ok()).ok_or_else(unreadable)?;
        let text = unhex(text).ok_or_else(unreadable)?;
        let aad = associated(place);
        let payload = Payload { msg: &text, aad: aad.as_bytes() };
        let opened = self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| unreadable())?;
        String::from_utf8(opened).map(Zeroizing::new).map_err(|_| unreadable())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

fn unreadable() -> EngineError {
    EngineError::Invalid(
        "the stored secret is damaged or belongs elsewhere; enter it again with lockstep app credentials"
            .into(),
    )
}

fn associated(place: SecretName<'_>) -> String {
    format!("{}\u{0}{}\u{0}{}", place.tenant, place.owner, place.name)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_at_its_place_and_with_its_key() {
        let key = SealingKey::parse(&"ab".repeat(32)).unwrap();
        let other = SealingKey::parse(&"cd".repeat(32)).unwrap();
        let tenant = TenantId::new("t");
        let place = SecretName { tenant: &tenant, owner: "app-1", name: "token" };
        let elsewhere = SecretName { owner: "app-2", ..place };
        let sealed = key.seal(place, "s3cret", &mut IdSource::new(0, 7)).unwrap();
        assert!(!sealed.contains("s3cret"));
        assert_eq!(key.open(place, &sealed).unwrap().as_str(), "s3cret");
        assert!(key.open(elsewhere, &sealed).is_err());
        assert!(other.open(place, &sealed).is_err());
        assert!(SealingKey::parse("short").is_err());
    }
}
