-- What is remembered of a connection's requests between two looks. kind: call (the last one, and how far apart visits are),
-- conflict (the same refusal), group_write (the last write of a group).
CREATE TABLE watch (
  tenant TEXT NOT NULL,
  connection TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('call', 'conflict', 'group_write')),
  object TEXT NOT NULL,
  times BIGINT NOT NULL,
  first_ms BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  usual_ms BIGINT NOT NULL,
  CONSTRAINT watch__object PRIMARY KEY (tenant, connection, kind, object)
);
CREATE INDEX watch_old ON watch(tenant, last_ms);
