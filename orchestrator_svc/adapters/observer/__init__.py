"""Outbound: the observer port."""
