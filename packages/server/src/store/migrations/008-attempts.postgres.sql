-- What SQLite finds in two places is in one here.
CREATE VIEW delivery_attempts AS
  SELECT substr(delivery_id, 22) AS tag, delivery_id, number, started_at, duration_ms, status, cause, detail, timings, url,
         request_headers, response_headers, response_body, truncated
    FROM attempts;
