-- Figures that are kept as counters (store/tally.ts): of each endpoint and each team in buckets of a minute and of an
-- hour, `width` ms wide from `at` on; l0 to l15 count attempts by their duration (core/latency.ts).

CREATE TABLE endpoint_figures (
  tag text COLLATE "C" NOT NULL,
  width bigint NOT NULL,
  at bigint NOT NULL,
  delivered int NOT NULL,
  failed int NOT NULL,
  canceled int NOT NULL,
  attempts int NOT NULL,
  attempts_failed int NOT NULL,
  l0 int NOT NULL,
  l1 int NOT NULL,
  l2 int NOT NULL,
  l3 int NOT NULL,
  l4 int NOT NULL,
  l5 int NOT NULL,
  l6 int NOT NULL,
  l7 int NOT NULL,
  l8 int NOT NULL,
  l9 int NOT NULL,
  l10 int NOT NULL,
  l11 int NOT NULL,
  l12 int NOT NULL,
  l13 int NOT NULL,
  l14 int NOT NULL,
  l15 int NOT NULL,
  PRIMARY KEY (tag, width, at)
) WITH (fillfactor = 80);
CREATE INDEX endpoint_figures_by_time ON endpoint_figures (width, at);

CREATE TABLE team_figures (
  team_id text COLLATE "C" NOT NULL,
  width bigint NOT NULL,
  at bigint NOT NULL,
  accepted int NOT NULL,
  delivered int NOT NULL,
  failed int NOT NULL,
  attempts int NOT NULL,
  attempts_failed int NOT NULL,
  PRIMARY KEY (team_id, width, at)
) WITH (fillfactor = 80);
CREATE INDEX team_figures_by_time ON team_figures (width, at);

-- One row for each endpoint that was ever sent to. `failing_since`: the first failure after the last success;
-- `warned_at` and `disabled_at`: when Posthorn announced that, and disabled it. `rests_until`: the end of its breaker's
-- rest, 0 or less if it does not rest. `slot_…`: deliveries that came to its backlog and left it in the slot of time that
-- begins at `slot_at`, `before_…` in the one before. `pending` is the
-- backlog as it was counted (postgres/figures.ts).
CREATE TABLE endpoint_health (
  tag text COLLATE "C" PRIMARY KEY,
  pending bigint NOT NULL DEFAULT 0,
  counted_at bigint NOT NULL DEFAULT 0,
  failing_since bigint,
  warned_at bigint,
  disabled_at bigint,
  last_success_at bigint,
  last_failure_at bigint,
  last_failure_status bigint,
  last_failure_cause text COLLATE "C",
  last_failure_detail text COLLATE "C",
  last_failure_url text COLLATE "C",
  last_end_at bigint,
  last_end_state text COLLATE "C",
  rests_until bigint NOT NULL DEFAULT 0,
  slot_at bigint NOT NULL DEFAULT 0,
  slot_came int NOT NULL DEFAULT 0,
  slot_left int NOT NULL DEFAULT 0,
  before_came int NOT NULL DEFAULT 0,
  before_left int NOT NULL DEFAULT 0,
  written_at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX endpoint_health_failing ON endpoint_health (failing_since) WHERE failing_since IS NOT NULL;

-- Running nodes, for those who ask; what they hold and may do is in no way decided here.
CREATE TABLE presence (
  id text COLLATE "C" PRIMARY KEY,
  roles text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  started_at bigint NOT NULL,
  seen_at bigint NOT NULL
);
