"""What ingest keeps: rows in PostgreSQL (sql, people, roster), raw files as they came, and how files are read."""
