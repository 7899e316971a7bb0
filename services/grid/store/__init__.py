"""SQL of grid: rows to domain objects and back, nothing decided here."""
