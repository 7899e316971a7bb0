-- Role and schema of one service; included by bootstrap.sql with `database`, `service` and `password` set.
SELECT :'database' || '_' || :'service' AS role
\gset

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec
ALTER ROLE :"role" LOGIN PASSWORD :'password';

-- An administrator who is not a superuser must be able to act as the role to give it a schema.
SELECT format('GRANT %I TO CURRENT_USER WITH SET TRUE, INHERIT FALSE', :'role')
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

-- Temporary tables are part of the bulk path: COPY into one, then insert what is new.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"role";
CREATE SCHEMA IF NOT EXISTS :"service" AUTHORIZATION :"role";
ALTER ROLE :"role" IN DATABASE :"database" SET search_path = :"service";
