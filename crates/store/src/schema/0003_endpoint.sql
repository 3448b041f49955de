-- What the endpoint's filters narrow by, beside the keys that users and groups carry themselves: e-mail addresses and names,
-- case-folded. attribute: emails.value, displayName, name.givenName, name.familyName.
CREATE TABLE lookup (
  tenant TEXT NOT NULL,
  attribute TEXT NOT NULL,
  value_key TEXT NOT NULL,
  user_id TEXT NOT NULL,
  CONSTRAINT lookup__user_id PRIMARY KEY (tenant, attribute, value_key, user_id)
);
CREATE INDEX lookup_of ON lookup(tenant, user_id);

-- 1 once the lookups of a user are written; rows from before this migration are indexed when a server starts.
ALTER TABLE usr ADD COLUMN lookups BIGINT NOT NULL DEFAULT 0;
CREATE INDEX usr_no_lookups ON usr(tenant, id) WHERE lookups = 0;

-- Rises with every change of a group's direct members, as version does with its document.
ALTER TABLE grp ADD COLUMN members_version BIGINT NOT NULL DEFAULT 0;

-- Lists in the order of ids, of names and of changes read only these.
CREATE INDEX usr_live ON usr(tenant, id) WHERE deleted_ms IS NULL;
CREATE INDEX usr_modified ON usr(tenant, modified_ms, id) WHERE deleted_ms IS NULL;
CREATE INDEX grp_live ON grp(tenant, id) WHERE deleted_ms IS NULL;
CREATE INDEX grp_modified ON grp(tenant, modified_ms, id) WHERE deleted_ms IS NULL;

-- Who returns after a deletion.
CREATE INDEX usr_gone ON usr(tenant, external_id, deleted_ms) WHERE deleted_ms IS NOT NULL AND external_id IS NOT NULL;

-- How many users and groups are not deleted: totals of lists without a filter. Spread over buckets, so that many writers
-- of one tenant seldom meet.
CREATE TABLE live_count (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  bucket TEXT NOT NULL,
  n BIGINT NOT NULL,
  CONSTRAINT live_count__bucket PRIMARY KEY (tenant, kind, bucket)
);
INSERT INTO live_count(tenant, kind, bucket, n)
  SELECT tenant, 'user', '', COUNT(*) FROM usr WHERE deleted_ms IS NULL GROUP BY tenant;
INSERT INTO live_count(tenant, kind, bucket, n)
  SELECT tenant, 'group', '', COUNT(*) FROM grp WHERE deleted_ms IS NULL GROUP BY tenant;

-- The seats of a tenant that has a limit: active users that are not deleted.
CREATE TABLE seat (
  tenant TEXT NOT NULL CONSTRAINT seat__tenant PRIMARY KEY,
  seats BIGINT NOT NULL,
  used BIGINT NOT NULL
);
