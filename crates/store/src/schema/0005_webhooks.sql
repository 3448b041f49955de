-- Addresses that are told of deactivations and deletions. delivered: the number of the last audit entry that was delivered or
-- passed over. due_ms: not before; who delivers moves it forward first, so that two machines do not deliver the same.
CREATE TABLE webhook (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  url TEXT NOT NULL,
  allow_private BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL,
  delivered BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  last_error TEXT,
  last_ok_ms BIGINT,
  CONSTRAINT webhook__id PRIMARY KEY (tenant, id)
);
