"""Plumbing of every service: app, db, outbox, inbox, bus, auth, problems, crypto, clock, settings, telemetry."""
