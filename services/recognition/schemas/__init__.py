"""Shapes of requests and answers, one module an audience."""
