-- The first schema on PostgreSQL, the twin of 001-initial.sqlite.sql: the same tables for the control plane, and for
-- the hot path what many nodes need beside them. Times are epoch milliseconds; truth values are 0 and 1; sealed columns
-- are AES-256-GCM. Texts sort byte by byte (COLLATE "C"), whatever the database's own
-- order is.

CREATE TABLE meta (
  name text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);

-- Control plane -------------------------------------------------------------------------------------------

CREATE TABLE teams (
  id text COLLATE "C" PRIMARY KEY,
  slug text COLLATE "C" NOT NULL UNIQUE,
  name text COLLATE "C" NOT NULL,
  plan text COLLATE "C" NOT NULL CHECK (plan IN ('hobby', 'pro', 'enterprise')),
  creator_id text COLLATE "C",
  webhook_count bigint NOT NULL DEFAULT 0,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX teams_by_time ON teams (created_at);

-- E-mail addresses are kept in lower case.
CREATE TABLE users (
  id text COLLATE "C" PRIMARY KEY,
  email text COLLATE "C" NOT NULL UNIQUE,
  username text COLLATE "C" NOT NULL,
  name text COLLATE "C",
  created_at bigint NOT NULL
);

CREATE TABLE members (
  team_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  role text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (team_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE tokens (
  id text COLLATE "C" PRIMARY KEY,
  hash text COLLATE "C" NOT NULL UNIQUE,
  name text COLLATE "C" NOT NULL,
  role text COLLATE "C" NOT NULL,
  team_id text COLLATE "C",
  user_id text COLLATE "C",
  created_by text COLLATE "C",
  created_at bigint NOT NULL,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint
);
CREATE INDEX tokens_by_team ON tokens (team_id, created_at);

CREATE TABLE sign_in_links (
  hash text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  used_at bigint
);

CREATE TABLE projects (
  id text COLLATE "C" PRIMARY KEY,
  team_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  framework text COLLATE "C",
  settings text COLLATE "C" NOT NULL DEFAULT '{}',
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  UNIQUE (team_id, name)
);
CREATE INDEX projects_by_team ON projects (team_id, created_at);

CREATE TABLE variables (
  id text COLLATE "C" PRIMARY KEY,
  team_id text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value_sealed bytea NOT NULL,
  type text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  git_branch text COLLATE "C",
  custom_environment_ids text COLLATE "C" NOT NULL DEFAULT '[]',
  comment text COLLATE "C",
  created_by text COLLATE "C",
  updated_by text COLLATE "C",
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX variables_by_project ON variables (project_id, key);

-- One row for each variable, environment and branch: a second variable for the same place is a conflict.
CREATE TABLE variable_places (
  project_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  place text COLLATE "C" NOT NULL,
  variable_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (project_id, key, place)
);
CREATE INDEX variable_places_by_variable ON variable_places (variable_id);

CREATE TABLE event_types (
  type text COLLATE "C" PRIMARY KEY,
  label text COLLATE "C" NOT NULL,
  category text COLLATE "C" NOT NULL,
  description text COLLATE "C" NOT NULL,
  schema text COLLATE "C" NOT NULL,
  sample text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

-- Where deliveries go. An account webhook is an endpoint; an installation's will be another kind of row.
-- `tag` is short and part of every delivery's id; `version` rises with each change.
CREATE TABLE endpoints (
  tag text COLLATE "C" PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  kind text COLLATE "C" NOT NULL,
  team_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  url text COLLATE "C" NOT NULL,
  secret_sealed bytea NOT NULL,
  old_secret_sealed bytea,
  old_secret_until bigint,
  events text COLLATE "C" NOT NULL,
  all_projects bigint NOT NULL,
  project_ids text COLLATE "C" NOT NULL,
  enabled bigint NOT NULL DEFAULT 1,
  disabled_at bigint,
  shift_ms bigint NOT NULL DEFAULT 0,
  ordering text COLLATE "C" NOT NULL DEFAULT 'none',
  max_concurrency bigint,
  rate_per_second double precision,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  removed_at bigint
);
CREATE INDEX endpoints_by_team ON endpoints (team_id, created_at);

CREATE TABLE subscriptions (
  team_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  tag text COLLATE "C" NOT NULL,
  PRIMARY KEY (team_id, type, tag)
);
CREATE INDEX subscriptions_by_endpoint ON subscriptions (tag);

CREATE TABLE endpoint_projects (
  tag text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tag, project_id)
);
CREATE INDEX endpoint_projects_by_project ON endpoint_projects (project_id);

CREATE TABLE audit (
  id text COLLATE "C" PRIMARY KEY,
  team_id text COLLATE "C",
  action text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  detail text COLLATE "C" NOT NULL,
  address text COLLATE "C",
  at bigint NOT NULL
);
CREATE INDEX audit_by_team ON audit (team_id, id);

-- History -------------------------------------------------------------------------------------------------

-- An event's number is its time (ms since 2026, by the database's clock) times 16,384 and a part of a sequence: it
-- sorts by time, fits a double, and says in which partition everything of the event lies. Partitions are made ahead, one
-- a day (postgres/partitions.ts); what none is there for lies in the default one.
CREATE SEQUENCE event_numbers;

CREATE TABLE events (
  seq bigint PRIMARY KEY,
  team_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  uid text COLLATE "C",
  type text COLLATE "C" NOT NULL,
  project_id text COLLATE "C",
  region text COLLATE "C",
  created_at bigint NOT NULL,
  created_at_given bigint NOT NULL,
  accepted_at bigint NOT NULL,
  test bigint NOT NULL,
  deliveries bigint NOT NULL,
  body bytea NOT NULL
) PARTITION BY RANGE (seq);
CREATE INDEX events_by_id ON events (id, team_id);
CREATE INDEX events_by_team ON events (team_id, seq);
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- The ids that publishers chose. An id that Posthorn made is unique as it is.
CREATE TABLE event_ids (
  team_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_seq bigint NOT NULL,
  PRIMARY KEY (team_id, id)
);

CREATE TABLE deliveries (
  tag text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_seq bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('delivered', 'failed', 'canceled')),
  attempts bigint NOT NULL,
  last_status bigint,
  last_cause text COLLATE "C",
  created_at bigint NOT NULL,
  finished_at bigint NOT NULL,
  PRIMARY KEY (tag, id, event_seq)
) PARTITION BY RANGE (event_seq);
CREATE INDEX deliveries_in_trouble ON deliveries (tag, state, id) WHERE state <> 'delivered';
CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;

CREATE TABLE attempts (
  delivery_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  event_seq bigint NOT NULL,
  started_at bigint NOT NULL,
  duration_ms double precision NOT NULL,
  status bigint,
  cause text COLLATE "C",
  detail text COLLATE "C",
  timings text COLLATE "C" NOT NULL,
  url text COLLATE "C" NOT NULL,
  request_headers text COLLATE "C" NOT NULL,
  response_headers text COLLATE "C",
  response_body bytea,
  truncated bigint NOT NULL,
  PRIMARY KEY (delivery_id, number, event_seq)
) PARTITION BY RANGE (event_seq);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

-- Unfinished work -----------------------------------------------------------------------------------------

-- One row for each running process that sends. What a node holds is taken over once its lease has ended.
CREATE TABLE nodes (
  id text COLLATE "C" PRIMARY KEY,
  lease_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now()
);

-- As in SQLite (see there): `available_at` is lane time, with two ranges beyond all times. `holder` is the node that
-- holds the row; `bytes` is the length of the event's body. Held rows are not in the claim index: most deliveries are held from birth to end.
CREATE TABLE pending (
  tag text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_seq bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  attempts bigint NOT NULL DEFAULT 0,
  available_at bigint NOT NULL,
  holder text COLLATE "C",
  extra bigint NOT NULL DEFAULT 0,
  asked bigint NOT NULL DEFAULT 0,
  order_key text COLLATE "C",
  bytes bigint NOT NULL,
  last_status bigint,
  last_cause text COLLATE "C",
  created_at bigint NOT NULL,
  PRIMARY KEY (tag, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX pending_by_lane ON pending (tag, available_at) WHERE available_at < 9000000000000000;
CREATE INDEX pending_by_order ON pending (tag, order_key, event_seq) WHERE order_key IS NOT NULL;
CREATE INDEX pending_held_in_order ON pending (tag, order_key)
  WHERE order_key IS NOT NULL AND available_at >= 9000000000000000;

-- The first delivery of each of the first `most` order keys of a lane, one look-up in the index for each key.
CREATE FUNCTION ordered_heads(lane text, most bigint)
  RETURNS TABLE (order_key text, id text, available_at bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
  head record;
BEGIN
  SELECT p.order_key, p.id, p.available_at INTO head FROM pending p
   WHERE p.tag = lane AND p.order_key IS NOT NULL ORDER BY p.order_key, p.event_seq LIMIT 1;
  FOR i IN 1..most LOOP
    EXIT WHEN head.id IS NULL;
    order_key := head.order_key;
    id := head.id;
    available_at := head.available_at;
    RETURN NEXT;
    SELECT p.order_key, p.id, p.available_at INTO head FROM pending p
     WHERE p.tag = lane AND p.order_key IS NOT NULL AND p.order_key > head.order_key
     ORDER BY p.order_key, p.event_seq LIMIT 1;
  END LOOP;
END $$;

-- Only SQLite has deliveries without a row.
CREATE VIEW born AS
  SELECT tag, id, event_seq, type, created_at FROM pending WHERE false;

-- A lane's marker: when somebody should look at it next, in real time. `owner` is the one node that may claim from a
-- lane with an order or a limit. `touched` rises whenever work is added: who found a lane empty removes the marker only
-- if nobody has touched it since.
CREATE TABLE lanes (
  tag text COLLATE "C" PRIMARY KEY,
  due_at bigint NOT NULL,
  owner text COLLATE "C",
  touched bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50);
CREATE INDEX lanes_by_due ON lanes (due_at);

-- Removed endpoints that may still have pending rows, to be written as canceled.
CREATE TABLE removed_lanes (
  tag text COLLATE "C" PRIMARY KEY
);
