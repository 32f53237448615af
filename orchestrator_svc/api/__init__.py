"""Inbound: gRPC calls mapped to use cases, and what these return mapped to messages."""
