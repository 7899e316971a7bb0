"""Nouns and rules of ingest: identity numbers, names, dates, verdicts, evidence. Pure and synchronous."""
