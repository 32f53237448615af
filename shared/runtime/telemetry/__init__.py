"""Traces and metrics that cost the hot path next to nothing, for both services.

Spans are not started: they are made, finished, from what is on record, with ids derived from it (`ids`, `spans`).
Metrics are plain numbers that are added up here and exported as they stand (`meters`). `export` alone talks OTLP.
"""
