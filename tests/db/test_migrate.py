"""The live databases are what the models say, whoever brings them there and how often."""

import multiprocessing
import stat

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text

from db import keys, models
from db.connection import open_engine, reading, writing
from db.errors import UnknownSchema
from db.migrate import alembic_config, migrate
from tests.db.places import Places

STORES = {"rows": models.METADATA, "keys": keys.METADATA}


def engine_of(places: Places, name: str):
    return open_engine({"rows": places.url, "keys": places.keys_url}[name])


@pytest.fixture(params=STORES)
def live(request, places):
    engine = engine_of(places, request.param)
    yield STORES[request.param], engine
    engine.dispose()


def test_models_and_live_database_have_the_same_columns_both_ways(live):
    metadata, engine = live
    inspector = inspect(engine)
    there = {
        (table, column["name"])
        for table in inspector.get_table_names()
        if table != "alembic_version"
        for column in inspector.get_columns(table)
    }
    ours = {(table.name, column.name) for table in metadata.tables.values() for column in table.c}
    assert there == ours


def test_a_new_revision_would_have_nothing_to_do(live):
    metadata, engine = live
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_live_database_checks_what_the_models_check(live):
    metadata, engine = live
    inspector = inspect(engine)
    for table in metadata.tables.values():
        there = {
            check["name"]: check["sqltext"] for check in inspector.get_check_constraints(table.name)
        }
        ours = {
            constraint.name: str(constraint.sqltext)
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        assert there == ours


def test_referential_actions_are_the_ones_of_the_models(live):
    metadata, engine = live
    inspector = inspect(engine)
    for table in metadata.tables.values():
        there = {
            (key["constrained_columns"][0], key["options"].get("ondelete"))
            for key in inspector.get_foreign_keys(table.name)
        }
        assert there == {(key.parent.name, key.ondelete) for key in table.foreign_keys}


def test_migrating_twice_changes_nothing(places):
    before = places.everything()
    migrate(places.url, places.keys_url)
    assert places.everything() == before


def test_processes_that_start_together_all_find_the_newest_form(tmp_path):
    places = Places(tmp_path)
    context = multiprocessing.get_context("spawn")
    together = [
        context.Process(target=migrate, args=(places.url, places.keys_url)) for _ in range(4)
    ]
    for process in together:
        process.start()
    for process in together:
        process.join(60)
    assert [process.exitcode for process in together] == [0, 0, 0, 0]
    for name, metadata in STORES.items():
        engine = engine_of(places, name)
        assert set(metadata.tables) <= set(inspect(engine).get_table_names())
        engine.dispose()


def test_what_the_first_form_held_is_there_in_the_newest(tmp_path):
    places = Places(tmp_path)
    engine = engine_of(places, "rows")
    config = alembic_config("rows", models.METADATA)
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO user (id, created_at) VALUES ('a', '2026-03-01 00:00:00.000000')",
            "INSERT INTO session (id_hash, csrf_hash, user_id, created_at, last_seen_at,"
            " expires_at, browser_family) VALUES (x'01', x'02', 'a', 1, 2, 3, 'firefox')",
            "INSERT INTO batch (id, user_id, options, created_at, expires_at)"
            " VALUES ('b', 'a', '{}', 1, 2)",
            "INSERT INTO job (id, batch_id, user_id, number, name, model, scale, options, state,"
            " created_at) VALUES ('j', 'b', 'a', 1, 'cat', 'm', 4, '{}', 'queued', 1)",
            "INSERT INTO token (id, user_id, name, secret_hash, created_at)"
            " VALUES ('t', 'a', 'backup', x'03', 1)",
        ):
            connection.execute(text(statement))
    migrate(places.url, places.keys_url)
    with reading(engine) as connection:
        session = connection.execute(text("SELECT * FROM session")).one()._asdict()
        newer = connection.execute(
            text(
                "SELECT batch.kind, job.name, job.kind, job.source_id, token.scope"
                " FROM batch JOIN job ON job.batch_id = batch.id"
                " JOIN token ON token.user_id = batch.user_id"
            )
        ).one()
    engine.dispose()
    assert newer == ("upscale", "cat", "upscale", None, "write")
    assert session == {
        "id_hash": b"\x01",
        "user_id": "a",
        "created_at": 1,
        "last_seen_at": 2,
        "expires_at": 3,
        "revoked_at": None,
        "ip_trunc": None,
        "browser_family": "firefox",
        "os_family": "other",
    }


def test_a_database_of_a_newer_program_is_refused(places):
    engine = engine_of(places, "rows")
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(UnknownSchema):
        migrate(places.url, places.keys_url)


def test_nobody_else_can_read_the_databases(store, places):
    for path in (places.folder / "new" / "app.db",):
        engine = open_engine(f"sqlite:///{path}")
        with writing(engine) as connection:
            connection.execute(text("CREATE TABLE t (x INTEGER)"))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
        engine.dispose()
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
