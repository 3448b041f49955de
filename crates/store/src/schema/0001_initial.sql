-- Every unique index is called table__key: its last part names the key in a Conflict, on both databases.
CREATE TABLE tenant (
  id TEXT NOT NULL CONSTRAINT tenant__id PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX tenant__name_key ON tenant(name_key);

-- Users and groups stay as rows after deletion (deleted_ms set): their memberships must still be read to take effects back.
CREATE TABLE usr (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  external_id TEXT,
  user_name TEXT NOT NULL,
  user_name_key TEXT NOT NULL,
  manager_ref TEXT,
  active BOOLEAN NOT NULL,
  source TEXT NOT NULL,
  doc {JSON} NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  deleted_ms BIGINT,
  CONSTRAINT usr__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX usr__user_name_key ON usr(tenant, user_name_key) WHERE deleted_ms IS NULL;
CREATE UNIQUE INDEX usr__external_id ON usr(tenant, external_id) WHERE deleted_ms IS NULL AND external_id IS NOT NULL;
CREATE INDEX usr_manager ON usr(tenant, manager_ref, id) WHERE manager_ref IS NOT NULL;
CREATE INDEX usr_source ON usr(tenant, source, id);

CREATE TABLE grp (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  external_id TEXT,
  display_name TEXT NOT NULL,
  display_name_key TEXT NOT NULL,
  source TEXT NOT NULL,
  doc {JSON} NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  deleted_ms BIGINT,
  CONSTRAINT grp__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX grp__display_name_key ON grp(tenant, display_name_key) WHERE deleted_ms IS NULL;
CREATE UNIQUE INDEX grp__external_id ON grp(tenant, external_id) WHERE deleted_ms IS NULL AND external_id IS NOT NULL;

CREATE TABLE member (
  tenant TEXT NOT NULL,
  group_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  CONSTRAINT member__member_id PRIMARY KEY (tenant, group_id, member_id)
);
CREATE INDEX member_of ON member(tenant, member_id, group_id);
CREATE INDEX member_nested ON member(tenant, group_id, member_id) WHERE kind = 'group';

CREATE TABLE app (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('preview', 'active', 'paused')),
  settings {JSON} NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT app__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX app__name_key ON app(tenant, name_key);

CREATE TABLE secret (
  tenant TEXT NOT NULL,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed TEXT NOT NULL,
  changed_ms BIGINT NOT NULL,
  CONSTRAINT secret__name PRIMARY KEY (tenant, owner, name)
);

CREATE TABLE assignment (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  priority BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT assignment__subject PRIMARY KEY (tenant, app, subject)
);
CREATE INDEX assignment_of ON assignment(tenant, subject, app);

CREATE TABLE push_group (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  group_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'removed')),
  on_removal TEXT NOT NULL CHECK (on_removal IN ('delete', 'leave')),
  created_ms BIGINT NOT NULL,
  CONSTRAINT push_group__group_id PRIMARY KEY (tenant, app, group_id)
);
CREATE INDEX push_group_of ON push_group(tenant, group_id, app);

-- The tie between a user or group and its remote object in one app.
CREATE TABLE link (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  state TEXT NOT NULL CHECK (state IN ('live', 'disabled', 'tombstone', 'lost', 'disputed', 'unmanaged')),
  remote_id TEXT,
  generation BIGINT NOT NULL,
  acknowledged {JSON} NOT NULL,
  normal {JSON},
  observed {JSON},
  confirmed_ms BIGINT NOT NULL,
  CONSTRAINT link__subject PRIMARY KEY (tenant, app, subject)
);
CREATE UNIQUE INDEX link__remote_id ON link(tenant, app, kind, remote_id) WHERE remote_id IS NOT NULL AND state <> 'lost';
CREATE INDEX link_of ON link(tenant, subject, app);

-- Who holds a key (a user name, a matching value) in an app: acknowledged there, or reserved before the request.
CREATE TABLE link_key (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  attribute TEXT NOT NULL,
  value_key TEXT NOT NULL,
  subject TEXT NOT NULL,
  CONSTRAINT link_key__value_key PRIMARY KEY (tenant, app, attribute, value_key)
);
CREATE INDEX link_key_of ON link_key(tenant, app, subject);

-- One membership in one app. generation rises whenever it may differ again; dirty falls only if it has not risen meanwhile.
CREATE TABLE edge (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  group_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('absent', 'present', 'unknown', 'refused')),
  dirty BOOLEAN NOT NULL,
  generation BIGINT NOT NULL,
  waits TEXT,
  group_generation BIGINT NOT NULL,
  user_generation BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  -- An unanswered request may still change it until then, whatever was recorded since.
  unsure_until_ms BIGINT,
  CONSTRAINT edge__user_id PRIMARY KEY (tenant, app, group_id, user_id)
);
CREATE INDEX edge_dirty ON edge(tenant, app, group_id, user_id) WHERE dirty;
CREATE INDEX edge_of ON edge(tenant, app, user_id);
CREATE INDEX edge_refused ON edge(tenant, app, group_id) WHERE waits IN ('refused_by_app', 'removal_refused');
CREATE INDEX edge_unsure ON edge(tenant, app, group_id) WHERE unsure_until_ms IS NOT NULL;
CREATE INDEX edge_waiting ON edge(tenant, app) WHERE waits IS NOT NULL;
CREATE INDEX edge_present ON edge(tenant, app, group_id) WHERE state = 'present';

-- "This subject may differ in this app."
CREATE TABLE mark (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  state TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'parked', 'staged', 'released')),
  generation BIGINT NOT NULL,
  wave TEXT NOT NULL,
  priority BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  verify_ms BIGINT,
  -- An unanswered request may take effect until then: the app is read once more.
  look_again_ms BIGINT,
  waits_on TEXT,
  reason TEXT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT mark__subject PRIMARY KEY (tenant, app, subject)
);
CREATE INDEX mark_ready ON mark(tenant, app, priority, due_ms, subject) WHERE state IN ('ready', 'released');
CREATE INDEX mark_wave ON mark(tenant, app, wave, state);
CREATE INDEX mark_waits ON mark(tenant, app, waits_on) WHERE waits_on IS NOT NULL;

-- A change whose subjects are not yet spread over the lanes; after_id is the keyset cursor of the expansion.
CREATE TABLE change (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  member TEXT NOT NULL,
  app TEXT NOT NULL,
  wave TEXT NOT NULL,
  priority BIGINT NOT NULL,
  after_id TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT change__id PRIMARY KEY (tenant, id)
);

-- The durable record of a request before it is sent; the same row receives its outcome.
CREATE TABLE intent (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  app TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'unknown', 'applied', 'rejected', 'not_applied')),
  request {JSON} NOT NULL,
  sent_ms BIGINT NOT NULL,
  settled_ms BIGINT,
  status BIGINT,
  evidence TEXT,
  fence BIGINT NOT NULL,
  trace TEXT NOT NULL,
  CONSTRAINT intent__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX intent__subject ON intent(tenant, app, subject) WHERE state IN ('open', 'unknown');
CREATE INDEX intent_of ON intent(tenant, app, subject, id);
CREATE INDEX intent_open ON intent(tenant, app, fence) WHERE state = 'open';

CREATE TABLE task (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  app TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  cause TEXT NOT NULL,
  evidence {JSON} NOT NULL,
  opened_ms BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  times BIGINT NOT NULL,
  closed_ms BIGINT,
  CONSTRAINT task__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX task__cause ON task(tenant, app, subject, cause) WHERE closed_ms IS NULL;
CREATE INDEX task_open ON task(tenant, opened_ms) WHERE closed_ms IS NULL;

-- The queue of one app: who owns it, whether it is held, when it may send again.
CREATE TABLE lane (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  owner TEXT NOT NULL,
  fence BIGINT NOT NULL,
  lease_until_ms BIGINT NOT NULL,
  held_cause TEXT,
  held_since_ms BIGINT,
  probe_at_ms BIGINT,
  probes BIGINT NOT NULL,
  not_before_ms BIGINT NOT NULL,
  CONSTRAINT lane__app PRIMARY KEY (tenant, app)
);

-- Destructive effects sent per hour: the guard counts them over 24 hours. scope is a group for removed members, else empty.
CREATE TABLE guard_count (
  tenant TEXT NOT NULL,
  app TEXT NOT NULL,
  scope TEXT NOT NULL,
  hour BIGINT NOT NULL,
  sent BIGINT NOT NULL,
  CONSTRAINT guard_count__hour PRIMARY KEY (tenant, app, scope, hour)
);

-- Entries are inserted with their change, unchained; the sealer numbers and chains committed ones. before and after are
-- TEXT so that the digest always covers the same bytes.
CREATE TABLE audit (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object TEXT NOT NULL,
  app TEXT NOT NULL,
  trace TEXT NOT NULL,
  before_text TEXT,
  after_text TEXT,
  salt TEXT NOT NULL,
  digest TEXT NOT NULL,
  seq BIGINT,
  chain TEXT,
  CONSTRAINT audit__id PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX audit__seq ON audit(tenant, seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_unsealed ON audit(tenant, id) WHERE seq IS NULL;
CREATE INDEX audit_of ON audit(tenant, object, id);

CREATE TABLE load_job (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  label TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('staging', 'applying', 'done')),
  total BIGINT NOT NULL,
  applied BIGINT NOT NULL,
  wave TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT load_job__id PRIMARY KEY (tenant, id)
);
CREATE TABLE load_change (
  tenant TEXT NOT NULL,
  job TEXT NOT NULL,
  seq BIGINT NOT NULL,
  body {JSON} NOT NULL,
  CONSTRAINT load_change__seq PRIMARY KEY (tenant, job, seq)
);
CREATE INDEX link_live ON link(tenant, app) WHERE kind = 'user' AND state = 'live';
CREATE INDEX mark_staged ON mark(tenant, app, wave) WHERE state = 'staged';
CREATE INDEX change_wave ON change(tenant, wave);
