-- Facts about this installation, by name: secrets, and revisions that readers watch.
CREATE TABLE installation (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- The token of a key is nowhere: only its keyed hash.
CREATE TABLE virtual_key (
  id TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  label TEXT,
  team TEXT,
  use_case TEXT,
  end_client TEXT,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT,
  revoked_at_ms BIGINT,
  replaced_by TEXT REFERENCES virtual_key (id) DEFERRABLE INITIALLY DEFERRED
);
