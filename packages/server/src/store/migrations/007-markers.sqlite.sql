-- What PostgreSQL's markers have become (007-markers.postgres.sql) SQLite has in its lanes.
CREATE VIEW waiting_lanes AS SELECT tag FROM lanes;
