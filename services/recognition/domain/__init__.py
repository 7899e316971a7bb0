"""Nouns and rules of recognition: pure, synchronous, no clock."""
