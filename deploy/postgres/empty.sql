-- Remove the five schemas with everything in them; roles and database stay. Used by `wugan up --fresh`.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS ingest, scoring, grid, recognition, notify CASCADE;
