//! Tokens: found by their public part; of the secret only a digest is stored.

use domain::connection::{Connection, TokenScope};
use domain::ids::{ConnectionId, TenantId, TokenId, UserId};
use domain::token::Presented;

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    INSERT,
    "INSERT INTO token(id, tenant, digest, name, scope, connection, user_id, created_ms, expires_ms, last_used_ms, revoked_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL)"
);
statement!(
    FIND,
    "SELECT t.id, t.tenant, t.name, t.scope, t.connection, t.user_id, t.created_ms, t.expires_ms, t.last_used_ms, t.revoked_ms,
            t.digest, c.id, c.name, c.provider, c.settings, c.version, c.created_ms, tenant.schemas_version
       FROM token t LEFT JOIN connection c ON c.tenant = t.tenant AND c.id = t.connection
       LEFT JOIN tenant ON tenant.id = t.tenant
      WHERE t.id = $1"
);
statement!(
    STANDING,
    "SELECT t.digest, t.expires_ms, t.revoked_ms, t.connection, c.version, n.schemas_version, n.name
       FROM token t LEFT JOIN connection c ON c.tenant = t.tenant AND c.id = t.connection
       LEFT JOIN tenant n ON n.id = t.tenant
      WHERE t.id = $1"
);
statement!(
    LIST,
    "SELECT id, tenant, name, scope, connection, user_id, created_ms, expires_ms, last_used_ms, revoked_ms FROM token
      WHERE tenant = $1 ORDER BY created_ms, id"
);
statement!(
    EXPIRES,
    "UPDATE token SET expires_ms = $3 WHERE tenant = $1 AND id = $2 AND revoked_ms IS NULL
        AND (expires_ms IS NULL OR expires_ms > $3)"
);
statement!(REVOKE, "UPDATE token SET revoked_ms = $3 WHERE tenant = $1 AND id = $2 AND revoked_ms IS NULL");
statement!(
    USED,
    "UPDATE token SET last_used_ms = $2 WHERE id = $1 AND (last_used_ms IS NULL OR last_used_ms <= $3)"
);

/// A stored token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public part.
    pub id: TokenId,
    /// The only tenant it may act in.
    pub tenant: TenantId,
    /// The name it was given.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// Whose policies hold.
    pub connection: Option<ConnectionId>,
    /// The user it stands for.
    pub user: Option<UserId>,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Not valid from then on.
    pub expires_ms: Option<i64>,
    /// When it was used last, to the minute.
    pub last_used_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// A token whose secret was presented.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The token.
    pub token: Token,
    /// Its connection, if that is still there.
    pub connection: Option<Connection>,
    /// The version of the tenant's own schemas.
    pub schemas_version: i64,
}

/// What may change about a token, as far as a request must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of its secret.
    pub digest: String,
    /// Not valid from then on.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// Whose policies hold.
    pub connection: Option<ConnectionId>,
    /// The version of that connection, if it is still there.
    pub connection_version: Option<i64>,
    /// The version of the tenant's own schemas.
    pub schemas_version: Option<i64>,
}

impl Standing {
    /// Whether it may be used. A token of a connection that was removed is not one of the whole tenant.
    pub fn holds(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none()
            && self.expires_ms.is_none_or(|end| end > now_ms)
            && (self.connection.is_none() || self.connection_version.is_some())
    }
}

/// Adds a token.
pub fn insert(tx: &mut Tx<'_>, token: &Token, digest: &str) -> Result<(), StoreError> {
    let params: [Value; 9] = [
        token.id.as_str().into(),
        token.tenant.as_str().into(),
        digest.into(),
        token.name.as_str().into(),
        token.scope.as_str().into(),
        token.connection.as_ref().map(ConnectionId::as_str).into(),
        token.user.as_ref().map(UserId::as_str).into(),
        token.created_ms.into(),
        token.expires_ms.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// The token that was presented, in whatever tenant, with its connection; none if its secret is another. An unknown id
/// takes the same comparison as a wrong secret.
pub fn find(tx: &mut Tx<'_>, presented: &Presented) -> Result<Option<Found>, StoreError> {
    let mut known = false;
    let found = tx.optional(&FIND, &[presented.id.as_str().into()], |row| {
        known = true;
        if !presented.matches(Some(&row.text(10)?)) {
            return Ok(None);
        }
        let connection = row.opt_text(11)?.map(|_| super::connection::read(row, 11)).transpose()?;
        let schemas_version = row.opt_int(17)?.unwrap_or_default();
        Ok(Some(Found { token: read(row)?, connection, schemas_version }))
    })?;
    if !known {
        presented.matches(None);
    }
    Ok(found.flatten())
}

/// How a token stands, and the name of its tenant; none if the id was never given.
pub fn standing(tx: &mut Tx<'_>, id: &TokenId) -> Result<Option<(Standing, String)>, StoreError> {
    tx.optional(&STANDING, &[id.as_str().into()], |row| {
        let standing = Standing {
            digest: row.text(0)?,
            expires_ms: row.opt_int(1)?,
            revoked_ms: row.opt_int(2)?,
            connection: row.opt_text(3)?.map(ConnectionId::new),
            connection_version: row.opt_int(4)?,
            schemas_version: row.opt_int(5)?,
        };
        Ok((standing, row.opt_text(6)?.unwrap_or_default()))
    })
}

/// All tokens of a tenant, oldest first, revoked and expired ones too.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Token>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into()], read)
}

/// Lets a token expire at a time; never later than it would anyway. False: it is revoked, or expires before.
pub fn expire(tx: &mut Tx<'_>, tenant: &TenantId, id: &TokenId, at_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.exec(&EXPIRES, &[tenant.as_str().into(), id.as_str().into(), at_ms.into()])? == 1)
}

/// Revokes a token; false if it was already.
pub fn revoke(tx: &mut Tx<'_>, tenant: &TenantId, id: &TokenId, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.exec(&REVOKE, &[tenant.as_str().into(), id.as_str().into(), now_ms.into()])? == 1)
}

/// Notes that tokens were used now, unless that was noted within `fresh_ms`.
pub fn used(tx: &mut Tx<'_>, ids: &[TokenId], now_ms: i64, fresh_ms: i64) -> Result<u64, StoreError> {
    let before = now_ms.saturating_sub(fresh_ms);
    let rows: Vec<Vec<Value>> =
        ids.iter().map(|id| vec![id.as_str().into(), now_ms.into(), before.into()]).collect();
    tx.exec_many(&USED, &rows)
}

fn read(row: &Row<'_>) -> Result<Token, StoreError> {
    let scope = row.text(3)?;
    let scope = TokenScope::parse(&scope)
        .ok_or_else(|| StoreError::Row { statement: "token", detail: format!("unknown scope {scope}") })?;
    Ok(Token {
        id: TokenId::new(row.text(0)?),
        tenant: TenantId::new(row.text(1)?),
        name: row.text(2)?,
        scope,
        connection: row.opt_text(4)?.map(ConnectionId::new),
        user: row.opt_text(5)?.map(UserId::new),
        created_ms: row.int(6)?,
        expires_ms: row.opt_int(7)?,
        last_used_ms: row.opt_int(8)?,
        revoked_ms: row.opt_int(9)?,
    })
}
