"""What keeping everything encrypted costs a job: `make bench`.

The same photo through the same engine, once from and to memory, once from and to the encrypted
storage with its fsyncs and keys, in turn. Trust the ratio, for machines drift.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

from db import files
from db.hours import KEPT
from db.migrate import migrate
from db.store import Store
from db.work import Role
from inference.engine import Engine
from inference.options import Options
from inference.precision import cpu_flags
from inference.pyramid import Previews
from inference.weights import ModelStore

PHOTO = Path(__file__).parent.parent / "tests" / "data" / "photos" / "rocket.jpg"
MODEL = "realesr-animevideov3"  # the fastest: of any other, encryption is a smaller part


def main() -> int:
    """Print a row of a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tasks.bench")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    engine = Engine(ModelStore(args.models), "cpu")
    options = Options(model=MODEL, output_format="png")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = f"sqlite:///{folder / 'app.db'}", f"sqlite:///{folder / 'keys.db'}"
        migrate(*urls)
        with Store.open(*urls, folder / "blobs") as store:
            data = args.photo.read_bytes()
            _plain(engine, data, options)  # loads the network
            pairs = [
                (_plain(engine, data, options), _encrypted(engine, store, data, options))
                for _ in range(args.runs)
            ]
    plain, encrypted = (statistics.median(column) for column in zip(*pairs, strict=True))
    share = statistics.median(after / before - 1 for before, after in pairs)
    sys.stdout.write(
        f"Flags: {' '.join(cpu_flags())}. One job of {MODEL}, previews included: {plain:.2f} s "
        f"from and to memory, {encrypted:.2f} s encrypted; {share:+.1%} (median of pairs).\n"
    )
    return 0


def _plain(engine: Engine, data: bytes, options: Options) -> float:
    begin = time.perf_counter()
    engine.upscale(
        io.BytesIO(data),
        io.BytesIO(),
        options,
        previews=Previews(io.BytesIO(), io.BytesIO()),
    )
    return time.perf_counter() - begin


def _encrypted(engine: Engine, store: Store, data: bytes, options: Options) -> float:
    begin = time.perf_counter()
    original = files.keep(store, io.BytesIO(data), Role.ORIGINAL, format="jpg")
    with (
        files.Writer(store, Role.RESULT, format="png") as result,
        files.Writer(store, Role.PREVIEW, format="zip", pictures=Role.ORIGINAL) as before,
        files.Writer(store, Role.PREVIEW, format="zip", pictures=Role.RESULT) as after,
        files.open(store, _as_stored(store, original)) as source,
    ):
        engine.upscale(source, result, options, previews=Previews(before, after))
        kept = [original, *(writer.finish() for writer in (result, before, after))]
    seconds = time.perf_counter() - begin
    files.discard(store, kept)
    return seconds


def _as_stored(store: Store, kept: files.Kept) -> files.Stored:
    """As if a row had promised it: rows cost a job next to nothing and are left out here."""
    now = store.clock.now()
    return files.Stored(
        id=kept.id,
        job_id=None,
        role=kept.role,
        pictures=None,
        order=None,
        format=kept.format,
        width=None,
        height=None,
        size=kept.size,
        created_at=now,
        expires_at=now + KEPT,
        blob_name=kept.blob_name,
    )


if __name__ == "__main__":
    sys.exit(main())
