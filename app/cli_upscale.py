"""`python -m app upscale IN… OUT`: the engine without a server.

Results appear under their names only when they are complete. One bad picture of several fails
alone.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tqdm import tqdm

from app.cli_models import ensure_installed
from app.settings import Settings
from inference.catalog import CATALOG
from inference.errors import EngineError, InvalidOptions
from inference.options import (
    DEFAULT_MODEL,
    DEFAULT_SCALE,
    DEPTHS,
    FORMATS,
    METADATA_CHOICES,
    PRECISIONS,
    SCALES,
    Format,
    Options,
)

if TYPE_CHECKING:
    from inference.engine import Engine
    from inference.report import Report

_EXTENSIONS: dict[str, Format] = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}


class FileTrouble(EngineError):
    """A file can't be read or written, for a reason outside the picture."""

    code = "FILE_TROUBLE"


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "upscale",
        help="make pictures larger",
        description="Make pictures larger. With several IN, or when OUT is a folder, results go "
        "into the folder OUT under names such as photo_4x_realesrgan-x4plus.png.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="IN… OUT")
    listed = ", ".join(model.name for model in CATALOG)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help=f"an installed model or one of {listed}; a listed one is fetched when it is missing",
    )
    size = parser.add_argument_group("size (the aspect ratio is kept)")
    size.add_argument(
        "--scale", type=int, choices=SCALES, help=f"{DEFAULT_SCALE} if nothing is given"
    )
    size.add_argument("--width", type=int, metavar="PIXELS", help="with --height: fit inside both")
    size.add_argument("--height", type=int, metavar="PIXELS")
    size.add_argument("--long-side", type=int, metavar="PIXELS")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, help="as OUT's extension, else as the input")
    output.add_argument("--quality", type=int, default=95, help="of JPEG and WebP (default 95)")
    output.add_argument("--lossless", action="store_true", help="WebP without loss")
    output.add_argument(
        "--bits", type=int, choices=DEPTHS, help="per channel; 16 for PNG only (default: as IN)"
    )
    output.add_argument(
        "--metadata",
        choices=METADATA_CHOICES,
        default="safe",
        help="safe keeps colour profile and print resolution (default), all EXIF and XMP as well",
    )
    output.add_argument(
        "--no-mark",
        action="store_false",
        dest="mark",
        help="don't say in the result's XMP that AI was used (--metadata none never does)",
    )
    machine = parser.add_argument_group("machine and limits")
    machine.add_argument("--precision", choices=PRECISIONS, default="auto")
    machine.add_argument("--tile", type=int, metavar="N", help="cut into squares of N pixels")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    machine.add_argument(
        "--memory", type=float, metavar="GB", help="for the network (default: half)"
    )
    machine.add_argument("--models", type=Path, default=settings.models_dir, metavar="DIR")
    machine.add_argument(
        "--max-input-megapixels", type=float, default=settings.max_input_megapixels, metavar="MP"
    )
    machine.add_argument(
        "--max-output-megapixels", type=float, default=settings.max_output_megapixels, metavar="MP"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale every input; 0 when all succeeded, 2 when any failed."""
    *sources, target = args.paths
    if not sources:
        raise InvalidOptions("OUT is missing.", "Say: upscale IN… OUT")
    into_folder = len(sources) > 1 or target.is_dir() or str(target).endswith(os.sep)
    options = _options(args, None if into_folder else target)
    for source in sources:
        _check_readable(source)
    # The slow import comes after everything that can be refused without it.
    from inference.allocator import keep_freed_memory
    from inference.engine import Engine
    from inference.threads import keep_to_own_cores
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    store = ModelStore(args.models)
    ensure_installed(store, options.model)
    engine = Engine(
        store,
        args.device,
        max_input_pixels=round(args.max_input_megapixels * 1e6),
        max_output_pixels=round(args.max_output_megapixels * 1e6),
    )
    if into_folder:
        _make_folder(target)
    failed = 0
    taken: set[Path] = set()
    for source in sources:
        try:
            place = _place(source, target, options, taken) if into_folder else target
            report = _upscale(engine, source, place, options)
        except EngineError as error:
            if len(sources) == 1:
                raise
            failed += 1
            print(f"error: {source}: {error}", file=sys.stderr)
        else:
            print(f"{place}  {report.input} → {report.output}  {report.seconds['total']:.1f} s")
            if report.scaling.is_filtered or report.scaling.passes > 1:
                print(f"  {report.scaling}")
            for note in report.notes:
                print(f"  {note}")
    if failed:
        print(f"{failed} of {len(sources)} pictures failed", file=sys.stderr)
    return 2 if failed else 0


def _options(args: argparse.Namespace, target: Path | None) -> Options:
    output_format = args.format
    if target is not None:
        by_name = _EXTENSIONS.get(target.suffix.lower())
        if by_name is None and (target.suffix or not output_format):
            raise InvalidOptions(
                f"'{target.name}' does not end in .png, .jpg or .webp.", "Choose one of the three."
            )
        if output_format and by_name and output_format != by_name:
            raise InvalidOptions(
                f"--format {output_format} contradicts the name '{target.name}'.",
                "Change one of the two.",
            )
        output_format = by_name or output_format
    return Options(
        model=args.model,
        scale=args.scale,
        width=args.width,
        height=args.height,
        long_side=args.long_side,
        output_format=output_format,
        quality=args.quality,
        lossless=args.lossless,
        bits=args.bits,
        metadata=args.metadata,
        mark=args.mark,
        precision=args.precision,
        tile=args.tile,
        memory_budget=None if args.memory is None else round(args.memory * 1e9),
    )


def _check_readable(source: Path) -> None:
    if source.is_dir():
        raise FileTrouble(
            f"'{source}' is a folder.", f"Name the pictures in it, for example {source / '*.jpg'}."
        )
    if not source.exists():
        raise FileTrouble(f"There is no file '{source}'.", "Check its name.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileTrouble(
            f"Can't make the folder '{folder}': {error.strerror}.", "Choose another place."
        ) from error


def _place(source: Path, folder: Path, options: Options, taken: set[Path]) -> Path:
    """Where a result goes: the input's stem and the settings, counted when two inputs collide."""
    from inference.image_io import read_header

    output_format = options.output_format
    if output_format is None:
        with _reading(source) as stream:
            output_format = read_header(stream, max_pixels=sys.maxsize).format
    stem = source.stem + options.suffix
    place = folder / f"{stem}.{output_format}"
    count = 2
    while place in taken:
        place = folder / f"{stem} ({count}).{output_format}"
        count += 1
    taken.add(place)
    return place


def _upscale(engine: "Engine", source: Path, place: Path, options: Options) -> "Report":
    if place.exists() and place.samefile(source):
        raise FileTrouble(
            f"The result would replace the picture '{source}' itself.", "Choose another name."
        )
    with (
        _reading(source) as stream,
        _appearing(place) as sink,
        tqdm(
            desc=source.name,
            unit="px",
            unit_scale=True,
            leave=False,
            disable=None,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} gone, {remaining} left",
        ) as bar,
    ):

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return engine.upscale(stream, sink, options, show)


@contextlib.contextmanager
def _reading(source: Path) -> Iterator[BinaryIO]:
    try:
        stream = source.open("rb")
    except OSError as error:
        raise FileTrouble(f"Can't read '{source}': {error.strerror}.", "Check the file.") from error
    with stream:
        yield stream


@contextlib.contextmanager
def _appearing(place: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes appear under `place` all at once, or never."""
    part: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".upscale.", suffix=".part")
        part = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(place)
    except OSError as error:
        raise FileTrouble(
            f"Can't write '{place}': {error.strerror or error}.",
            "Choose another place or free some space.",
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
