"""Migrations of recognition's schema."""
