"""Plumbing of every service: app, db, outbox, inbox, bus, auth, problems, crypto, clock, settings, telemetry."""

# Before any router is made.
from shared.kit import paths as paths
