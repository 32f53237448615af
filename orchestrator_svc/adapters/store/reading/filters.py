"""Conditions that several queries share. Labels are looked into here: each database has its own way with JSON."""

from collections.abc import Iterable

from sqlalchemy import Column, ColumnElement, and_

from orchestrator_svc.adapters.store.documents import read_map


def carries(labels: str, wanted: Iterable[tuple[str, str]]) -> bool:
    """Whether the labels, as they are kept, have all of the wanted ones."""
    if not wanted:
        return True
    kept = read_map(labels)
    return all(kept.get(key) == value for key, value in wanted)


def starts_with(column: Column[str], prefix: str) -> ColumnElement[bool]:
    """As a range, which an index serves; LIKE would ignore case."""
    return and_(column >= prefix, column <= prefix + "\U0010ffff")


def unindexed(column: Column[str]) -> ColumnElement[str]:
    """As a condition to be looked at last: a partial index of few rows is better than this column's of many."""
    return column.concat("")
