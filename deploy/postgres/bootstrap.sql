-- One database, a schema and a role for each service; a role touches its own schema only. Safe to repeat.
--
--   psql --no-psqlrc --file bootstrap.sql postgresql://admin@host/postgres
--
-- with WUGAN_DATABASE and the five WUGAN_PASSWORD_<SERVICE> in the environment. Roles are named
-- <database>_<service>, so that several databases of one server stay strangers to each other.
\set ON_ERROR_STOP on
\getenv database WUGAN_DATABASE

SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8''', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec
\connect :"database"

SET client_min_messages = warning;
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('wugan bootstrap')) \g /dev/null

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

\set service ingest
\getenv password WUGAN_PASSWORD_INGEST
\ir service.sql

\set service scoring
\getenv password WUGAN_PASSWORD_SCORING
\ir service.sql

\set service grid
\getenv password WUGAN_PASSWORD_GRID
\ir service.sql

\set service recognition
\getenv password WUGAN_PASSWORD_RECOGNITION
\ir service.sql

\set service notify
\getenv password WUGAN_PASSWORD_NOTIFY
\ir service.sql

COMMIT;
