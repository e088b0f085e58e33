-- Replays, the twin of 004-replays.sqlite.sql.
CREATE TABLE replays (
  id text COLLATE "C" PRIMARY KEY,
  team_id text COLLATE "C" NOT NULL,
  tag text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('running', 'done', 'stopped')),
  since bigint NOT NULL,
  until bigint NOT NULL,
  seq_from bigint NOT NULL,
  types text COLLATE "C",
  states text COLLATE "C" NOT NULL,
  rate double precision,
  matched bigint NOT NULL,
  made bigint NOT NULL DEFAULT 0,
  walking text COLLATE "C" NOT NULL,
  after text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  finished_at bigint
) WITH (fillfactor = 50);
CREATE INDEX replays_by_webhook ON replays (tag, id);
CREATE INDEX replays_running ON replays (id) WHERE state = 'running';
CREATE INDEX replays_over ON replays (finished_at) WHERE state <> 'running';

ALTER TABLE pending ADD COLUMN replayed_at bigint;
ALTER TABLE pending ADD COLUMN schedule_from bigint NOT NULL DEFAULT 0;

-- One row for each webhook whose deliveries are made again, by a replay or by hand. `owner` is the one node that makes
-- its replays; `turn` rises each time something is made, and who saw an older one makes nothing (postgres/replay.ts).
CREATE TABLE replay_lanes (
  tag text COLLATE "C" PRIMARY KEY,
  owner text COLLATE "C",
  turn bigint NOT NULL
) WITH (fillfactor = 50);
