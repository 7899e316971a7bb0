"""The demo city: people, a year of lives, and the files 26 departments would deliver of them; the truth is kept apart.

Everything follows from a scale and a seed. People and lives are columns; files are written source by source, so that
the whole city of 1.36 million people fits in small memory.
"""
