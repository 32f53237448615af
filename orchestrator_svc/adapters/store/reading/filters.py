"""Conditions that several queries share."""

from sqlalchemy import Column, ColumnElement, Dialect, exists, func, select

FAR_FUTURE = 1 << 62


def has_label(dialect: Dialect, labels: Column[str], key: str, value: str) -> ColumnElement[bool]:
    """JSON is looked into in each dialect's own way."""
    assert dialect.name == "sqlite"
    member = func.json_each(func.nullif(labels, "")).table_valued("key", "value")
    return exists(select(1).select_from(member).where(member.c.key == key, member.c.value == value))


def starts_with(column: Column[str], prefix: str) -> ColumnElement[bool]:
    """As a range, which an index serves; LIKE would ignore case."""
    return column.between(prefix, prefix + "\U0010ffff")
