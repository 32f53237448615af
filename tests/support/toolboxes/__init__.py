"""Toolboxes that tests load into a real executor."""
