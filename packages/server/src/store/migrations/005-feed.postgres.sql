-- The live feed reads the order of commits: which transaction wrote a row (postgres/feed.ts). The version before writes
-- none of the columns; their defaults do. Rows from before have none, and are older than any place in the feed.
ALTER TABLE events ADD COLUMN written_in xid8;
ALTER TABLE events ALTER COLUMN written_in SET DEFAULT pg_current_xact_id();
CREATE INDEX events_in_order ON events (written_in);
ALTER TABLE attempts ADD COLUMN written_in xid8;
ALTER TABLE attempts ALTER COLUMN written_in SET DEFAULT pg_current_xact_id();
CREATE INDEX attempts_in_order ON attempts (written_in);
ALTER TABLE deliveries ADD COLUMN canceled_in xid8;
CREATE INDEX deliveries_canceled ON deliveries (canceled_in) WHERE canceled_in IS NOT NULL;
