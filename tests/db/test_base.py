"""Columns that say why they exist, and points in time that compare rightly."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import String, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateIndex, CreateTable

from db import keys, models
from db.base import DSAR, ERASE, KEEP, Instant, column
from db.upkeep import Sweep

GOOD = {"clause": "3.2.j", "keep": "R2", "dsar": "X", "erase": "D"}
TABLES = [*models.METADATA.sorted_tables, *keys.METADATA.sorted_tables]


@pytest.mark.parametrize("missing", GOOD)
def test_a_column_that_does_not_say_why_cannot_be_declared(missing):
    with pytest.raises(TypeError):
        column(String, **{name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"clause": ""},
        {"clause": "because"},
        {"clause": "3.2"},
        {"keep": "R4"},
        {"dsar": "yes"},
        {"erase": ""},
        {"dsar": "-"},
        {"erase": "K"},
    ],
    ids=str,
)
def test_a_column_with_a_word_of_its_own_cannot_be_declared(wrong):
    with pytest.raises(ValueError, match=r"clauses|none of|reason"):
        column(String, **GOOD | wrong)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_names_its_clause_class_export_and_erasure(table):
    for one in table.columns:
        assert one.info["clause"], one
        assert one.info["keep"] in KEEP, one
        assert one.info["dsar"] in DSAR, one
        assert one.info["erase"] in ERASE, one


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_constraint_and_index_has_a_name_by_which_it_can_be_changed(table):
    assert all(constraint.name for constraint in table.constraints)
    assert all(index.name for index in table.indexes)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_both_databases_can_be_told_of_every_table(table):
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    longest = max(len(thing.name) for thing in (*table.constraints, *table.indexes))
    assert longest <= 63, "PostgreSQL cuts longer names"


def test_a_moment_comes_back_as_the_same_moment_in_utc(store):
    berlin = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    with store.writing() as rows:
        rows.execute(insert(Sweep).values(kind="audit", started_at=berlin))
        (found,) = rows.scalars(select(Sweep.started_at)).all()
    assert found == berlin
    assert found.tzinfo is UTC


def test_moments_from_different_zones_compare_by_time_and_not_by_text(store):
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    earlier = (noon - timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=9)))
    with store.writing() as rows:
        rows.execute(insert(Sweep).values(kind="audit", started_at=earlier))
        assert rows.scalars(select(Sweep.id).where(Sweep.started_at < noon)).all()
        assert not rows.scalars(select(Sweep.id).where(Sweep.started_at >= noon)).all()


def test_a_moment_without_a_zone_is_refused(store):
    with store.writing() as rows, pytest.raises(StatementError, match="zone"):
        rows.execute(insert(Sweep).values(kind="audit", started_at=datetime(2026, 3, 1)))


def test_postgresql_gets_an_aware_moment():
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    bound = Instant().process_bind_param(moment, postgresql.dialect())
    assert bound == moment
    assert bound.utcoffset() == timedelta(0)
