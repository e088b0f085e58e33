-- Markers of lanes: each says that a lane has work from `low` (lane time) on, and when somebody should look at it: real
-- time, or 0 for at once. They are added beside the work and removed by whoever has looked, and never changed, so that
-- nothing has versions that a reader walks past: what is gone lies before the place at which a look begins (claim.ts).
-- `lanes` keeps the owners of lanes with an order or a limit.
CREATE SEQUENCE marker_numbers;
CREATE TABLE markers (
  due_at bigint NOT NULL,
  number bigint NOT NULL DEFAULT nextval('marker_numbers'),
  tag text COLLATE "C" NOT NULL,
  low bigint NOT NULL,
  PRIMARY KEY (due_at, number)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX markers_by_lane ON markers (tag, due_at, number);
-- One look-up in the index for each lane, however many markers it has.
CREATE VIEW waiting_lanes AS
WITH RECURSIVE tags AS (
  (SELECT m.tag FROM markers m ORDER BY m.tag LIMIT 1)
  UNION ALL
  SELECT (SELECT m.tag FROM markers m WHERE m.tag > t.tag ORDER BY m.tag LIMIT 1) FROM tags t WHERE t.tag IS NOT NULL
)
SELECT tag FROM tags WHERE tag IS NOT NULL;

-- Nodes of the version before mark lanes in `lanes`.
CREATE FUNCTION mark_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO markers (due_at, tag, low)
  VALUES (CASE WHEN NEW.due_at > date_part('epoch', clock_timestamp()) * 1000 THEN NEW.due_at ELSE 0 END, NEW.tag,
          -9000000000000000);
  RETURN NULL;
END $$;
CREATE TRIGGER lanes_marked AFTER INSERT OR UPDATE ON lanes
  FOR EACH ROW WHEN (NEW.due_at < 9000000000000000) EXECUTE FUNCTION mark_lane();
INSERT INTO markers (due_at, tag, low)
SELECT 0, tag, -9000000000000000 FROM lanes WHERE due_at < 9000000000000000 ORDER BY tag;
