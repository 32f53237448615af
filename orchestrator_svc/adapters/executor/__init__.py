"""Adapters of the executors port: gRPC, and memory for tests."""
