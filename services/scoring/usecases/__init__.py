"""The verbs of scoring: load, decide, save, say; a transaction comes in, nothing commits here."""
