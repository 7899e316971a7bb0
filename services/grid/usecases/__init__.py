"""The verbs of grid: load, decide, save, say; they never commit."""
