-- Records of one tenant and one day that were committed together lie together: a row per record cost the endpoint more
-- than answering. What was recorded before is given up.
DROP TABLE scim_exchange;
DROP TABLE scim_body;
DELETE FROM scim_day;

-- What is asked for when blocks are looked for. seq is the number of the first record; those that follow have higher ones.
CREATE TABLE scim_block (
  day BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  records BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  from_ms BIGINT NOT NULL,
  to_ms BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  -- Of each record: whom it is about, and its trace code, both hashed.
  marks TEXT NOT NULL,
  CONSTRAINT scim_block__seq PRIMARY KEY (day, seq)
) {BY DAY};
CREATE INDEX scim_block_of ON scim_block(tenant, seq);

-- The records of a block, as JSON.
CREATE TABLE scim_records (
  day BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  records TEXT NOT NULL,
  CONSTRAINT scim_records__seq PRIMARY KEY (day, seq)
) {BY DAY};

-- Bodies of failures, and of the last accepted requests of each kind (kept_for names the kind); seq is the record's.
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
