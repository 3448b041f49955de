-- Assignments and pushes of groups that the dispatcher has not expanded: what they will mark need not be marked before.
CREATE INDEX change_range ON change(tenant, id) WHERE kind IN ('assignment', 'push_group') AND member <> 'user';
