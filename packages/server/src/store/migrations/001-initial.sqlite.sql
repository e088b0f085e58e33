-- The first schema. Times are epoch milliseconds; truth values are 0 and 1; sealed columns are AES-256-GCM.
-- Three kinds of table on the hot path: unfinished work (pending, lanes), history that is only appended to
-- (events, deliveries, attempts), and the publishers' own ids (the unique index of events).

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- Control plane -------------------------------------------------------------------------------------------

CREATE TABLE teams (
  id TEXT PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  plan TEXT NOT NULL CHECK (plan IN ('hobby', 'pro', 'enterprise')),
  creator_id TEXT,
  webhook_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX teams_by_time ON teams (created_at);

-- E-mail addresses are kept in lower case.
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  username TEXT NOT NULL,
  name TEXT,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
  team_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (team_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  team_id TEXT,
  user_id TEXT,
  created_by TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
) WITHOUT ROWID;
CREATE INDEX tokens_by_team ON tokens (team_id, created_at);

CREATE TABLE sign_in_links (
  hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) WITHOUT ROWID;

CREATE TABLE projects (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  name TEXT NOT NULL,
  framework TEXT,
  settings TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (team_id, name)
) WITHOUT ROWID;
CREATE INDEX projects_by_team ON projects (team_id, created_at);

CREATE TABLE variables (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value_sealed BLOB NOT NULL,
  type TEXT NOT NULL,
  target TEXT NOT NULL,
  git_branch TEXT,
  custom_environment_ids TEXT NOT NULL DEFAULT '[]',
  comment TEXT,
  created_by TEXT,
  updated_by TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX variables_by_project ON variables (project_id, key);

-- One row for each variable, environment and branch: a second variable for the same place is a conflict.
CREATE TABLE variable_places (
  project_id TEXT NOT NULL,
  key TEXT NOT NULL,
  place TEXT NOT NULL,
  variable_id TEXT NOT NULL,
  PRIMARY KEY (project_id, key, place)
) WITHOUT ROWID;
CREATE INDEX variable_places_by_variable ON variable_places (variable_id);

CREATE TABLE event_types (
  type TEXT PRIMARY KEY,
  label TEXT NOT NULL,
  category TEXT NOT NULL,
  description TEXT NOT NULL,
  schema TEXT NOT NULL,
  sample TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Where deliveries go. An account webhook is an endpoint; an installation's will be another kind of row.
-- `tag` is short and part of every delivery's id; `version` rises with each change.
CREATE TABLE endpoints (
  tag TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  team_id TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  url TEXT NOT NULL,
  secret_sealed BLOB NOT NULL,
  old_secret_sealed BLOB,
  old_secret_until INTEGER,
  events TEXT NOT NULL,
  all_projects INTEGER NOT NULL,
  project_ids TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1,
  disabled_at INTEGER,
  shift_ms INTEGER NOT NULL DEFAULT 0,
  ordering TEXT NOT NULL DEFAULT 'none',
  max_concurrency INTEGER,
  rate_per_second REAL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  removed_at INTEGER
) WITHOUT ROWID;
CREATE INDEX endpoints_by_team ON endpoints (team_id, created_at);

CREATE TABLE subscriptions (
  team_id TEXT NOT NULL,
  type TEXT NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (team_id, type, tag)
) WITHOUT ROWID;
CREATE INDEX subscriptions_by_endpoint ON subscriptions (tag);

CREATE TABLE endpoint_projects (
  tag TEXT NOT NULL,
  project_id TEXT NOT NULL,
  PRIMARY KEY (tag, project_id)
) WITHOUT ROWID;
CREATE INDEX endpoint_projects_by_project ON endpoint_projects (project_id);

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  team_id TEXT,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  address TEXT,
  at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX audit_by_team ON audit (team_id, id);

-- History -------------------------------------------------------------------------------------------------

-- `uid` is null where the event's id is one that Posthorn made, which then serves as the uid. `born` is a JSON array
-- of the tags whose deliveries were held from birth.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  team_id TEXT NOT NULL,
  id TEXT NOT NULL,
  uid TEXT,
  type TEXT NOT NULL,
  project_id TEXT,
  region TEXT,
  created_at INTEGER NOT NULL,
  created_at_given INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL,
  test INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  born TEXT,
  body BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_id ON events (id, team_id);
CREATE INDEX events_by_team ON events (team_id);

-- Finished deliveries. The id is the event's uid and the endpoint's tag: the tag leads the key, so that an
-- endpoint's deliveries are one range in order of time; an event's are found through its team's endpoints.
CREATE TABLE deliveries (
  tag TEXT NOT NULL,
  id TEXT NOT NULL,
  event_seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('delivered', 'failed', 'canceled')),
  attempts INTEGER NOT NULL,
  last_status INTEGER,
  last_cause TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  PRIMARY KEY (tag, id)
) WITHOUT ROWID;
CREATE INDEX deliveries_in_trouble ON deliveries (tag, state, id) WHERE state <> 'delivered';

-- Headers are name and value lines in turn; timings are dns, connect, tls and first byte in ms, comma separated.
CREATE TABLE attempts (
  seq INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  duration_ms REAL NOT NULL,
  status INTEGER,
  cause TEXT,
  detail TEXT,
  timings TEXT NOT NULL,
  url TEXT NOT NULL,
  request_headers TEXT NOT NULL,
  response_headers TEXT,
  response_body BLOB,
  truncated INTEGER NOT NULL
);
CREATE UNIQUE INDEX attempts_by_delivery ON attempts (delivery_id, number);

-- Unfinished work -----------------------------------------------------------------------------------------

-- `available_at` is when the row may be claimed, in the lane's own time (real time less the endpoint's shift_ms,
-- which grows while the endpoint is disabled). Two ranges lie beyond all real times: rows of an ordered lane,
-- and rows that this process holds (see sqlite/claim.ts). `extra` is 1 for an attempt outside the schedule of a
-- delivery that is already finished; `asked` counts redeliver calls not yet served.
CREATE TABLE pending (
  tag TEXT NOT NULL,
  id TEXT NOT NULL,
  event_seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  available_at INTEGER NOT NULL,
  extra INTEGER NOT NULL DEFAULT 0,
  asked INTEGER NOT NULL DEFAULT 0,
  order_key TEXT,
  last_status INTEGER,
  last_cause TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tag, id)
) WITHOUT ROWID;
-- What is held is not in the index.
CREATE INDEX pending_by_lane ON pending (tag, available_at) WHERE available_at < 9000000000000000;
CREATE INDEX pending_by_order ON pending (tag, order_key, event_seq) WHERE order_key IS NOT NULL;

-- Which events may have deliveries that are held from birth and have no row yet (see sqlite/births.ts): one row for
-- each commit that made some, gone when the last of them is finished or has a row.
CREATE TABLE births (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL
);
CREATE VIEW born AS
  SELECT j.value AS tag, coalesce(e.uid, e.id) || j.value AS id, e.seq AS event_seq, e.type AS type,
         e.accepted_at AS created_at
    FROM births b CROSS JOIN events e ON e.seq BETWEEN b.first_seq AND b.last_seq CROSS JOIN json_each(e.born) j
   WHERE NOT EXISTS (SELECT 1 FROM pending p WHERE p.tag = j.value AND p.id = coalesce(e.uid, e.id) || j.value)
     AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.tag = j.value AND d.id = coalesce(e.uid, e.id) || j.value);

-- A lane's marker: when somebody should look at it next, in real time. No row: nothing waits unclaimed.
CREATE TABLE lanes (
  tag TEXT PRIMARY KEY,
  due_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX lanes_by_due ON lanes (due_at);
