-- The SCIM log: a database of its own beside the SQLite file, a schema of its own in PostgreSQL. One row per request.
CREATE TABLE scim_exchange (
  day BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  trace TEXT NOT NULL,
  connection TEXT NOT NULL,
  connection_name TEXT NOT NULL,
  token_name TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  dialect TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  status BIGINT NOT NULL,
  scim_type TEXT,
  detail TEXT,
  duration_us BIGINT NOT NULL,
  tolerated TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object TEXT NOT NULL,
  object_name TEXT NOT NULL,
  -- The object's id; where none is known its folded name.
  about TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  CONSTRAINT scim_exchange__seq PRIMARY KEY (day, seq)
) {BY DAY};
CREATE INDEX scim_exchange_of ON scim_exchange(tenant, seq);
CREATE INDEX scim_exchange_about ON scim_exchange(tenant, about, seq) WHERE about <> '';
CREATE INDEX scim_exchange_trace ON scim_exchange(tenant, trace);
CREATE INDEX scim_exchange_failed ON scim_exchange(tenant, seq) WHERE status >= 400;

-- Bodies of failures, and of the last accepted requests of each kind (kept_for names the kind).
CREATE TABLE scim_body (
  day BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  kept_for TEXT NOT NULL,
  request TEXT,
  answer TEXT,
  bytes BIGINT NOT NULL,
  CONSTRAINT scim_body__seq PRIMARY KEY (day, seq)
) {BY DAY};
CREATE INDEX scim_body_kept ON scim_body(kept_for, seq) WHERE kept_for <> '';

-- What each day holds: retention looks here, and a day without a row has no partition.
CREATE TABLE scim_day (
  day BIGINT NOT NULL CONSTRAINT scim_day__day PRIMARY KEY,
  records BIGINT NOT NULL,
  bytes BIGINT NOT NULL
);

-- The last number given out, and how many requests could not be recorded. Its row is locked until the commit, so numbers
-- become visible in their order, also with several writers.
CREATE TABLE scim_head (
  id TEXT NOT NULL CONSTRAINT scim_head__id PRIMARY KEY,
  seq BIGINT NOT NULL,
  lost BIGINT NOT NULL
);
INSERT INTO scim_head(id, seq, lost) VALUES ('head', 0, 0);
