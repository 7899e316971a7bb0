"""The five services of wugan: ingest, scoring, grid, recognition, notify. They share events, never code."""
