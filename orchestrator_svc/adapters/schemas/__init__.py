"""Adapters of the schemas port."""
