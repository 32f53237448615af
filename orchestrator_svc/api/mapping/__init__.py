"""Requests into what the use cases take, and what they return into messages. Neither knows gRPC."""
