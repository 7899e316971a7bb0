"""Backups of a city, their restoring to any moment, and JetStream made anew from what the outboxes kept."""
