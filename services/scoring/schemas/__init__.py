"""Shapes of requests and answers of scoring."""
