"""Killed at any line, nothing promised is lost and nothing is left that no row explains."""

import os
import signal
import subprocess
import sys
import time

import pytest

from db import keys, receipts, retention
from db.audit import audit
from db.reconcile import Reconciled, reconcile
from db.work import File
from tests.db.kills import DEEDS
from tests.db.situations import a_user, count, file_rows


@pytest.mark.parametrize("deed", DEEDS)
def test_killed_at_every_line(deed, migrated, quick_folder):
    migrated.copy_to(quick_folder / "start")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.db.kills", str(quick_folder), deed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 15, "so few lines cannot have been all"


BUSY = """
import sys
from pathlib import Path
from db import files
from db.work import Cause
from tests.db.places import Places
from tests.db.situations import a_batch, file_rows, a_user

with Places(Path(sys.argv[1])).open() as store:
    user_id = a_user(store)
    print("ready", flush=True)
    while True:
        a_batch(store, user_id, pictures=2, data=bytes(300_000))
        files.erase(store, [r.id for r in file_rows(store) if r.deleted_at is None], Cause.USER)
"""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.17, 0.23, 0.31])
def test_sigkilled_while_it_keeps_and_erases(after, places):
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, str(places.folder)], stdout=subprocess.PIPE
    ) as busy:
        assert busy.stdout.readline() == b"ready\n"
        time.sleep(after)
        os.kill(busy.pid, signal.SIGKILL)
    with places.open() as store:
        reconcile(store)
        retention.delete_due(store)
        # On the real clock the grace time is not over: what is left is younger than that.
        live = [row for row in file_rows(store) if row.deleted_at is None]
        assert {row.id for row in live} <= set(keys.known(store.keys))
        assert sum(receipts.count(store).values()) == count(store, File) - len(live)
        assert audit(store) == []
        assert reconcile(store) == Reconciled(0, 0, 0, 0)
        a_user(store, "somebody else")
