-- Replays: a query over past events whose deliveries are made again. `types` and `states` are JSON; `walking` and
-- `after` say where it stands (core/replay.ts); no event of its period has a smaller number than `seq_from`.
CREATE TABLE replays (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'stopped')),
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  seq_from INTEGER NOT NULL,
  types TEXT,
  states TEXT NOT NULL,
  rate REAL,
  matched INTEGER NOT NULL,
  made INTEGER NOT NULL DEFAULT 0,
  walking TEXT NOT NULL,
  after TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) WITHOUT ROWID;
CREATE INDEX replays_by_webhook ON replays (tag, id);
CREATE INDEX replays_running ON replays (id) WHERE state = 'running';
CREATE INDEX replays_over ON replays (finished_at) WHERE state <> 'running';

-- `replayed_at` is when a replay made the row, null for all others; `schedule_from` is how many attempts were made before
-- the schedule that the row is in began.
ALTER TABLE pending ADD COLUMN replayed_at INTEGER;
ALTER TABLE pending ADD COLUMN schedule_from INTEGER NOT NULL DEFAULT 0;
