"""SQL of recognition: rows to domain objects and back, one module a noun."""
