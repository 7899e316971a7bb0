"""Migrations of grid."""
