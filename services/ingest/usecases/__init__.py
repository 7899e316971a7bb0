"""The verbs of ingest: take a chunk of evidence, take a roster, let someone look."""
