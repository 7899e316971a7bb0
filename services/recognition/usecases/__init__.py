"""The verbs of recognition: load, decide, save, say; never a commit."""
