"""The whole platform on one machine: PostgreSQL, NATS and Caddy from wheels, and the service processes."""
