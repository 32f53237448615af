"""Adapters of the templates port."""
