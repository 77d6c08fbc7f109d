"""`python -m app serve`, `web`, `worker`, `scheduler` and `retention`: the service's processes.

Each process can be started alone; `serve` prepares the data folder and supervises all of them.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app import logs
from app.settings import Settings

if TYPE_CHECKING:
    from db.clock import Readers

CHILDREN = ("web", "worker", "scheduler")

log = logging.getLogger(__name__)


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add the commands to the command line."""

    def command(name: str, run: Callable[[Settings], int], help: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help, description=help.capitalize() + ".")
        parser.set_defaults(run=partial(_with, run, settings))
        return parser

    command("serve", serve, "run the service: web, worker and scheduler, restarted when they die")
    command("web", answer, "run the web server alone")
    command("worker", work, "run a worker alone")
    command("scheduler", keep_time, "run the scheduler alone")
    retention = commands.add_parser(
        "retention", help="delete what is due now, or look for what should not be there"
    ).add_subparsers(required=True, metavar="COMMAND")
    for name, run, help in (
        ("sweep", sweep, "delete everything whose time is over"),
        ("audit", audit, "list what is past its time or explained by nothing; status 1 if any"),
    ):
        parser = retention.add_parser(name, help=help, description=help.capitalize() + ".")
        parser.set_defaults(run=partial(_with, run, settings))


def _with(run: Callable[[Settings], int], settings: Settings, _args: argparse.Namespace) -> int:
    return run(settings)


def own_command(name: str) -> tuple[str, ...]:
    """How a process of this service is started, and seen in a list of processes."""
    return sys.executable, "-m", "app", name


def serve(
    settings: Settings,
    command: Callable[[str], tuple[str, ...]] = own_command,
    readers: "Readers | None" = None,
) -> int:
    """Prepare the data folder, delete what is due, then run all processes until told to stop.

    `command` and `readers` are other ones in tests that move the clock. Raises `InvalidSettings`
    when anybody could get in.
    """
    from app import default_models, server
    from app.processes import Child, supervise
    from tasks.service import folders_of, prepare

    settings.check_reachable()
    server.check_port(settings)
    prepare(settings)
    logs.start("serve", folders_of(settings).logs)
    bring_up_to_date(settings, readers)
    default_models.fetch_missing(settings)
    environment = dict(os.environ)
    return supervise(Child(name, command(name), environment) for name in CHILDREN)


def bring_up_to_date(settings: Settings, readers: "Readers | None" = None) -> None:
    """Delete what became due while nothing ran, and take up what was left.

    A full disk or a busy database keeps nothing from starting: the scheduler does the same again,
    and a service that does not run deletes nothing.
    """
    from db.errors import StoreError
    from tasks.recovery import recover
    from tasks.retention import reconcile_leftovers, sweep
    from tasks.service import Service

    with Service.open(settings, readers=readers) as service:
        parts: tuple[Callable[[], object], ...] = (
            lambda: sweep(service),
            lambda: reconcile_leftovers(service.store),
            lambda: recover(service),
        )
        for part in parts:
            try:
                part()
            except StoreError as error:
                log.error("not_up_to_date", extra={"code": error.code})
            except OSError as error:
                log.error("not_up_to_date", extra={"code": error.strerror})


def answer(settings: Settings, readers: "Readers | None" = None) -> int:
    """Run the web server until told to stop."""
    from tasks import service

    settings.check_reachable()
    service.prepare(settings)
    logs.start("web", service.folders_of(settings).logs)
    from app import server

    return server.run(settings, readers, announce=partial(print, file=sys.stderr, flush=True))


def work(settings: Settings, readers: "Readers | None" = None) -> int:
    """Run a worker until told to stop."""
    from tasks import service, worker

    service.prepare(settings)
    logs.start("worker", service.folders_of(settings).logs)
    return worker.run(settings, readers)


def keep_time(settings: Settings, readers: "Readers | None" = None) -> int:
    """Run the scheduler until told to stop."""
    from tasks import scheduler, service

    service.prepare(settings)
    logs.start("scheduler", service.folders_of(settings).logs)
    return scheduler.run(settings, readers)


def sweep(settings: Settings) -> int:
    """One sweep, now."""
    from tasks import retention, service

    service.prepare(settings)
    with service.Service.open(settings) as opened:
        swept = retention.sweep(opened)
        found = retention.reconcile_leftovers(opened.store)
    for name, number in {**vars(swept), **vars(found)}.items():
        print(f"{name.replace('_', ' '):<20} {number}")
    return 0


def audit(settings: Settings) -> int:
    """List what should not be there. Status 1 when there is anything."""
    from tasks import audit, service

    service.prepare(settings)
    with service.Service.open(settings) as opened:
        found = audit.findings(opened)
    for finding in found:
        print(f"{finding.kind}: {finding.what}")
    print(f"{len(found)} findings" if found else "nothing is past its time or unexplained")
    return 1 if found else 0
