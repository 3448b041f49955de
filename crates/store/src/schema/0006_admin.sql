-- Two users that were one person: who was kept, who is gone, and what puts both back.
CREATE TABLE user_merge (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  kept TEXT NOT NULL,
  gone TEXT NOT NULL,
  record {JSON} NOT NULL,
  at_ms BIGINT NOT NULL,
  undone_ms BIGINT,
  CONSTRAINT user_merge__id PRIMARY KEY (tenant, id)
);
CREATE INDEX user_merge_of ON user_merge(tenant, kept, id) WHERE undone_ms IS NULL;

-- When a source last named a user, to the day.
CREATE TABLE confirmed (
  tenant TEXT NOT NULL,
  user_id TEXT NOT NULL,
  source TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  CONSTRAINT confirmed__source PRIMARY KEY (tenant, user_id, source)
);
