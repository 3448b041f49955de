-- A tenant's own extension schemas (RFC 7643 section 7). urn_key is the URN in lower case.
CREATE TABLE schema_extension (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  urn_key TEXT NOT NULL,
  definition {JSON} NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT schema_extension__urn_key PRIMARY KEY (tenant, kind, urn_key)
);

-- Which users and groups that are not deleted hold data under an extension: a schema in use is not removed.
CREATE TABLE extension_use (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  urn_key TEXT NOT NULL,
  object TEXT NOT NULL,
  CONSTRAINT extension_use__object PRIMARY KEY (tenant, kind, urn_key, object)
);

-- Rises with every change of the tenant's schemas: what a process compiled of them is used while this is the same.
ALTER TABLE tenant ADD COLUMN schemas_version BIGINT NOT NULL DEFAULT 0;
