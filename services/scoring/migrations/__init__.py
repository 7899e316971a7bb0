"""Schema migrations of scoring."""
