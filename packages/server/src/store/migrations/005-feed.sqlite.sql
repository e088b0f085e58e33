-- The live feed reads the order of commits: events and attempts have their numbers, what is canceled without an attempt
-- gets one here. The hot path writes nothing for it.
ALTER TABLE deliveries ADD COLUMN canceled_order INTEGER;
CREATE INDEX deliveries_canceled ON deliveries (canceled_order) WHERE canceled_order IS NOT NULL;
