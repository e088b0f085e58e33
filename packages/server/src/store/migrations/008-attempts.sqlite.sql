-- Most deliveries have one attempt, which delivered them: their own row says where it lies (`attempt`), and the index of
-- attempts by delivery has only the others. What is there stays in the index as it is (`alone` is 0 in old rows), so that
-- only its text changes. As https://www.sqlite.org/lang_altertable.html#otheralter says.
ALTER TABLE deliveries ADD COLUMN attempt INTEGER;
ALTER TABLE attempts ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = 'CREATE UNIQUE INDEX attempts_by_delivery ON attempts (delivery_id, number) WHERE alone = 0'
 WHERE type = 'index' AND name = 'attempts_by_delivery';
PRAGMA writable_schema = RESET;

-- Attempts by their delivery, whose tag must be given as well.
CREATE VIEW delivery_attempts AS
  SELECT substr(delivery_id, 22) AS tag, delivery_id, number, started_at, duration_ms, status, cause, detail, timings, url,
         request_headers, response_headers, response_body, truncated
    FROM attempts WHERE alone = 0
   UNION ALL
  SELECT d.tag, d.id, a.number, a.started_at, a.duration_ms, a.status, a.cause, a.detail, a.timings, a.url,
         a.request_headers, a.response_headers, a.response_body, a.truncated
    FROM deliveries d CROSS JOIN attempts a ON a.seq = d.attempt;
