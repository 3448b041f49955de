-- Identity providers that push into a tenant. issuer is copied out of the settings: a sign-in finds its connection by it.
CREATE TABLE connection (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  provider TEXT NOT NULL CHECK (provider IN ('okta', 'entra', 'onelogin', 'jumpcloud', 'generic')),
  settings {JSON} NOT NULL,
  issuer TEXT,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT connection__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX connection__name_key ON connection(tenant, name_key);
CREATE UNIQUE INDEX connection__issuer ON connection(tenant, issuer) WHERE issuer IS NOT NULL;

-- Tokens: the public part finds the row, which says the tenant; of the secret only a digest is kept.
CREATE TABLE token (
  id TEXT NOT NULL CONSTRAINT token__id PRIMARY KEY,
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL CHECK (scope IN ('scim', 'scim:read', 'signin')),
  connection TEXT,
  user_id TEXT,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  last_used_ms BIGINT,
  revoked_ms BIGINT
);
CREATE INDEX token_of ON token(tenant, created_ms, id);

-- Who signed in: the issuer's subject, which never changes, and the user it stands for. A user has one subject per issuer.
-- name is what the last assertion called the user where the directory still says otherwise, and since when.
CREATE TABLE signin_subject (
  tenant TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL,
  connection TEXT NOT NULL,
  linked_ms BIGINT NOT NULL,
  name TEXT,
  name_since_ms BIGINT,
  CONSTRAINT signin_subject__subject PRIMARY KEY (tenant, issuer, subject)
);
CREATE UNIQUE INDEX signin_subject__issuer ON signin_subject(tenant, user_id, issuer);

-- Every decision about a first or later login.
CREATE TABLE signin_log (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  trace TEXT NOT NULL,
  outcome TEXT NOT NULL,
  token TEXT NOT NULL,
  connection TEXT,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT,
  detail {JSON} NOT NULL,
  CONSTRAINT signin_log__id PRIMARY KEY (tenant, id)
);
CREATE INDEX signin_log_user ON signin_log(tenant, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX signin_log_outcome ON signin_log(tenant, outcome, id);
CREATE INDEX signin_log_trace ON signin_log(tenant, trace);
