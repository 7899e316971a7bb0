"""Nouns and rules of scoring: pure functions over columns of signals."""
