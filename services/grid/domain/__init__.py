"""Nouns and rules of the grid: pure, synchronous, without clock or I/O."""
