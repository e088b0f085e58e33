-- What SQLite needs in other words costs nothing here.
SELECT 1;
