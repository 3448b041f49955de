-- Users whom a connection took away or who may not be active yet. deleted: its identity provider deleted the user, whom the
-- policy keeps, and its callers do not see the user any more. deactivated: it said active:false, and the policy deletes later.
-- waiting: it said active:true before the user was in the required group.
CREATE TABLE departure (
  tenant TEXT NOT NULL,
  connection TEXT NOT NULL,
  user_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('deleted', 'deactivated', 'waiting')),
  since_ms BIGINT NOT NULL,
  delete_at_ms BIGINT,
  CONSTRAINT departure__user_id PRIMARY KEY (tenant, connection, user_id)
);
CREATE INDEX departure_of ON departure(tenant, user_id, state);
CREATE INDEX departure_state ON departure(tenant, connection, state, user_id);
CREATE INDEX departure_due ON departure(tenant, delete_at_ms, user_id) WHERE delete_at_ms IS NOT NULL;

-- How many connections do not see the user any more: nothing else is asked while it is 0.
ALTER TABLE usr ADD COLUMN departed BIGINT NOT NULL DEFAULT 0;
