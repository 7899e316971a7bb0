-- Remove a database and its five roles, with WUGAN_DATABASE in the environment. For test databases.
\set ON_ERROR_STOP on
\getenv database WUGAN_DATABASE
SET client_min_messages = warning;
DROP DATABASE IF EXISTS :"database" WITH (FORCE);
SELECT format('DROP ROLE IF EXISTS %I', :'database' || '_' || service)
FROM unnest(ARRAY['ingest', 'scoring', 'grid', 'recognition', 'notify']) AS service
\gexec
