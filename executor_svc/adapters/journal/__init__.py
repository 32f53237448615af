"""Adapters of the journal port: SQLite, and memory for tests."""
