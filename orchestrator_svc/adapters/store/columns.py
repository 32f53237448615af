"""What the tables are made of: `metadata` has them all once both modules of tables are imported."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, SmallInteger

from orchestrator_svc.adapters.store.dialects import PlainText

metadata = MetaData()


def text(name: str) -> Column[str]:
    return Column(name, PlainText, nullable=False)


def time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)
