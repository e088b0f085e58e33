-- Figures that are kept as counters (store/tally.ts): of each endpoint and each team in buckets of a minute and of an
-- hour, `width` ms wide from `at` on; l0 to l15 count attempts by their duration (core/latency.ts).

CREATE TABLE endpoint_figures (
  tag TEXT NOT NULL,
  width INTEGER NOT NULL,
  at INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  canceled INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  attempts_failed INTEGER NOT NULL,
  l0 INTEGER NOT NULL,
  l1 INTEGER NOT NULL,
  l2 INTEGER NOT NULL,
  l3 INTEGER NOT NULL,
  l4 INTEGER NOT NULL,
  l5 INTEGER NOT NULL,
  l6 INTEGER NOT NULL,
  l7 INTEGER NOT NULL,
  l8 INTEGER NOT NULL,
  l9 INTEGER NOT NULL,
  l10 INTEGER NOT NULL,
  l11 INTEGER NOT NULL,
  l12 INTEGER NOT NULL,
  l13 INTEGER NOT NULL,
  l14 INTEGER NOT NULL,
  l15 INTEGER NOT NULL,
  PRIMARY KEY (tag, width, at)
) WITHOUT ROWID;
CREATE INDEX endpoint_figures_by_time ON endpoint_figures (width, at);

CREATE TABLE team_figures (
  team_id TEXT NOT NULL,
  width INTEGER NOT NULL,
  at INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  attempts_failed INTEGER NOT NULL,
  PRIMARY KEY (team_id, width, at)
) WITHOUT ROWID;
CREATE INDEX team_figures_by_time ON team_figures (width, at);

-- One row for each endpoint that was ever sent to. `failing_since`: the first failure after the last success;
-- `warned_at` and `disabled_at`: when Posthorn announced that, and disabled it. `rests_until`: the end of its breaker's
-- rest, 0 or less if it does not rest. `slot_…`: deliveries that came to its backlog and left it in the slot of time that
-- begins at `slot_at`, `before_…` in the one before. `pending` and
-- `counted_at` are kept by PostgreSQL alone.
CREATE TABLE endpoint_health (
  tag TEXT PRIMARY KEY,
  pending INTEGER NOT NULL DEFAULT 0,
  counted_at INTEGER NOT NULL DEFAULT 0,
  failing_since INTEGER,
  warned_at INTEGER,
  disabled_at INTEGER,
  last_success_at INTEGER,
  last_failure_at INTEGER,
  last_failure_status INTEGER,
  last_failure_cause TEXT,
  last_failure_detail TEXT,
  last_failure_url TEXT,
  last_end_at INTEGER,
  last_end_state TEXT,
  rests_until INTEGER NOT NULL DEFAULT 0,
  slot_at INTEGER NOT NULL DEFAULT 0,
  slot_came INTEGER NOT NULL DEFAULT 0,
  slot_left INTEGER NOT NULL DEFAULT 0,
  before_came INTEGER NOT NULL DEFAULT 0,
  before_left INTEGER NOT NULL DEFAULT 0,
  written_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX endpoint_health_failing ON endpoint_health (failing_since) WHERE failing_since IS NOT NULL;

-- Running nodes, for those who ask; what they hold and may do is in no way decided here.
CREATE TABLE presence (
  id TEXT PRIMARY KEY,
  roles TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) WITHOUT ROWID;
