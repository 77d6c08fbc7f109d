"""Batches as people hand them in, through the gate, the rows, a real worker and back.

Twenty pictures with names from everywhere, one of them broken; and pictures of every kind that
cameras, phones and programs make.
"""

import io
import os
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from tests.inference.pictures import (
    Pixels,
    cmyk_profile,
    exif_block,
    opened,
    photo,
    png_file,
    rgb_profile,
    saved,
    scanlines,
    srgb_from_p3,
)
from tests.journey import Visit
from tests.pages.server import Serving, serving
from tests.tasks.pictures import FAST, picture

SUFFIX = f"_2x_{FAST}"

RLM, LRE, RLO, ZWJ, ZWNJ = "\u200f", "\u202a", "\u202e", "\u200d", "\u200c"

NAMES = {
    "cat.png": f"cat{SUFFIX}.png",
    "東京の夜景.png": f"東京の夜景{SUFFIX}.png",
    "故宫 雪.png": f"故宫 雪{SUFFIX}.png",
    f"{RLM}صورة العائلة{RLM}.png": f"صورة العائلة{SUFFIX}.png",
    f"می{ZWNJ}خواهم.png": f"می{ZWNJ}خواهم{SUFFIX}.png",
    "תמונה.png": f"תמונה{SUFFIX}.png",
    "🐈 beach 🏖️.png": f"🐈 beach 🏖️{SUFFIX}.png",
    f"👩{ZWJ}👩{ZWJ}👧.png": f"👩{ZWJ}👩{ZWJ}👧{SUFFIX}.png",
    "CAT.png": f"CAT{SUFFIX} (3).png",
    f"holiday{RLO}gnp.exe": f"holidaygnp{SUFFIX}.png",
    unicodedata.normalize("NFD", "Übermorgen.png"): f"Übermorgen{SUFFIX}.png",
    "नमस्ते.png": f"नमस्ते{SUFFIX}.png",
    "a/b\\c.png": f"c{SUFFIX}.png",
    "what? where: <there>.png": f"what_ where_ _there_{SUFFIX}.png",
    "CON.png": f"_CON{SUFFIX}.png",
    ".hidden.png": f"_.hidden{SUFFIX}.png",
    "no ending": f"no ending{SUFFIX}.png",
    "&amp; ${x} {{y}} 100%.png": f"&amp; ${{x}} {{{{y}}}} 100%{SUFFIX}.png",
}
"""What somebody calls a picture, and what its result is called."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("twenty"), models_path) as service:
        yield service


@pytest.fixture
def visit(service: Serving) -> Iterator[Visit]:
    visit = Visit(service.settings.origin)
    visit.sign_in()
    yield visit
    visit.close()


def hand_in(visit: Visit, files: list[tuple[str, bytes]], scale: int = 2) -> dict[str, Any]:
    """The batch that these became, once all of it has ended."""
    parts = [("files", ("upload", data)) for _, data in files]
    answer = visit.http.post("/gradio_api/upload", files=parts)
    assert answer.status_code == 200, answer.text
    images = [
        {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        for path, (name, _) in zip(answer.json(), files, strict=True)
    ]
    batch = visit.call("submit", images, FAST, scale)
    return visit.until(batch["id"], "succeeded", "failed")


def test_of_twenty_pictures_nineteen_succeed_one_says_why_and_the_zip_has_nineteen(
    visit: Visit, tmp_path: Path
) -> None:
    names = list(NAMES)
    names[5:5] = ["cat.png"]  # the second of this name
    files = [(name, picture(16 + number, 12)) for number, name in enumerate(names)]
    files[7:7] = [("broken 🎞.png", picture(60, 40)[:-400])]
    assert len(files) == 20

    batch = hand_in(visit, files)

    broken = batch["jobs"].pop(7)
    assert (broken["name"], broken["state"]) == ("broken 🎞.png", "failed")
    assert broken["error"]["code"] == "MALFORMED_IMAGE"
    assert broken["error"]["message"] == "The PNG file is damaged or incomplete."
    assert broken["error"]["hint"]
    assert {job["state"] for job in batch["jobs"]} == {"succeeded"}

    answer = visit.http.get(batch["download_url"])
    assert answer.status_code == 200
    assert '_19-pictures.zip"' in answer.headers["content-disposition"]
    expected = [NAMES[name] for name in names]
    expected[5] = f"cat{SUFFIX} (2).png"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == expected
        archive.extractall(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(expected)
    # Each name has its own picture: no two are equally wide.
    for name, job, (_, original) in zip(
        expected, batch["jobs"], files[:7] + files[8:], strict=True
    ):
        with Image.open(tmp_path / name) as result:
            assert result.size == tuple(2 * side for side in opened(original).size)
            assert result.size == (job["output"]["width"], job["output"]["height"])


# Pictures of every kind

SIDE = (48, 32)


@dataclass
class Kind:
    """A picture file, what it looks like, and what its result must be."""

    name: str
    data: bytes
    looks: NDArray[np.generic]
    """RGB or RGBA, 0 to 255, sRGB: as the original is seen."""
    mode: str = "RGB"
    keeps_profile: bool = False
    note: str | None = None
    bits: int = 8
    most_off: float = 6
    files: dict[str, bytes] = field(default_factory=dict)


def base() -> Image.Image:
    """A colourful piece of a photo, without a profile."""
    return Image.fromarray(np.asarray(photo(120, 80).resize(SIDE, Image.Resampling.LANCZOS)))


def with_hole() -> Image.Image:
    image = base().convert("RGBA")
    image.putalpha(ImageOps.invert(Image.radial_gradient("L").resize(SIDE)))
    return image


def deep() -> bytes:
    samples = np.asarray(base(), np.uint16) * 257
    return png_file(SIDE, 16, 2, scanlines(samples.reshape(SIDE[1], -1), 16))


def seen_in_print(image: Image.Image, profile: bytes) -> Pixels:
    inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, inks, srgb, outputMode="RGB"))


def printed(image: Image.Image) -> Image.Image:
    """The same in inks of the press that `cmyk_profile` describes, which are those of Lab."""
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    light, a, b = (np.asarray(band) for band in lab.split())
    return Image.merge("CMYK", [Image.fromarray(ink) for ink in (255 - light, a, b, 0 * light)])


def kinds() -> list[Kind]:
    plain = np.asarray(base())
    sideways = base().transpose(Image.Transpose.ROTATE_90)
    grey = base().convert("L")
    cmyk = base().convert("CMYK")
    inks = printed(base())
    frames = [base(), Image.new("RGB", SIDE, "lime"), Image.new("RGB", SIDE, "blue")]
    dot = Image.new("RGB", (1, 1), (200, 90, 30))
    animated = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return [
        Kind(
            "portrait of a phone.jpg",
            saved(sideways, "JPEG", quality=95, exif=exif_block(6)),
            plain,
        ),
        Kind(
            "display p3.png",
            saved(base(), "PNG", icc_profile=rgb_profile()),
            srgb_from_p3(plain),
            keeps_profile=True,
        ),
        Kind("sixteen bits.png", deep(), plain, bits=16),
        Kind("transparent.png", saved(with_hole(), "PNG"), np.asarray(with_hole()), mode="RGBA"),
        Kind("grey.png", saved(grey, "PNG"), np.asarray(grey.convert("RGB")), mode="L"),
        Kind(
            "inks.jpg",
            saved(cmyk, "JPEG", quality=95),
            np.asarray(cmyk.convert("RGB")),
            mode="CMYK",
        ),
        Kind(
            "inks of a press.jpg",
            saved(inks, "JPEG", quality=95, icc_profile=cmyk_profile()),
            seen_in_print(inks, cmyk_profile()),
            mode="CMYK",
            keeps_profile=True,
        ),
        Kind("animated.webp", animated, plain, note="its first frame was used"),
        Kind("one pixel.png", saved(dot, "PNG"), np.asarray(dot), most_off=20),
    ]


def test_every_kind_of_picture_comes_out_as_it_looked_or_is_refused_with_a_sentence(
    visit: Visit,
) -> None:
    made = kinds()
    refused = {"moving.gif": saved(base(), "GIF"), "raw.tif": saved(base(), "TIFF")}

    batch = hand_in(visit, [(kind.name, kind.data) for kind in made] + list(refused.items()), 4)

    for job, name in zip(batch["jobs"][len(made) :], refused, strict=True):
        assert (job["name"], job["state"]) == (name, "failed")
        assert job["error"]["message"] == "This is not a picture that can be read."
        assert job["error"]["hint"] == "Use a PNG, JPEG or WebP file."
    for job, kind in zip(batch["jobs"], made, strict=False):
        assert job["state"] == "succeeded", (kind.name, job["error"])
        kind.files = fetched(visit, job)
    sheet(made)
    for job, kind in zip(batch["jobs"], made, strict=False):
        check(kind, job)


def fetched(visit: Visit, job: dict[str, Any]) -> dict[str, bytes]:
    """The result, and the previews of both as one tile each."""
    files = {"result": visit.http.get(job["files"]["result"]).content}
    for slot in ("original_preview", "preview"):
        shape = visit.http.get(f"{job['files'][slot]}/tiles").json()
        level = shape["levels"] - 1
        files[slot] = visit.http.get(f"{job['files'][slot]}/tiles/{level}/0_0").content
    return files


def check(kind: Kind, job: dict[str, Any]) -> None:
    height, width = kind.looks.shape[:2]
    result = opened(kind.files["result"])
    assert result.size == (4 * width, 4 * height), kind.name
    assert result.mode == kind.mode, kind.name
    assert result.getexif().get(0x0112, 1) == 1, kind.name
    assert job["report"]["bits"] == kind.bits, kind.name
    if kind.bits == 16:
        assert kind.files["result"][24:26] == b"\x10\x02", kind.name  # depth and colours in IHDR
    sent = opened(kind.data).info.get("icc_profile")
    assert result.info.get("icc_profile") == (sent if kind.keeps_profile else None), kind.name
    notes = " ".join(job["report"]["notes"])
    assert notes == "" if kind.note is None else kind.note in notes, kind.name
    for what, shown in {
        "result": as_seen(result),
        "original_preview": as_seen(opened(kind.files["original_preview"])),
        "preview": as_seen(opened(kind.files["preview"])),
    }.items():
        times = 1 if what == "original_preview" else 4
        assert shown.size == (times * width, times * height), (kind.name, what)
        off = difference(shown, kind.looks)
        assert off < kind.most_off, f"{kind.name}: its {what} is {off:.1f} levels off"


def as_seen(image: Image.Image) -> Image.Image:
    """As a program that knows profiles shows it."""
    profile = image.info.get("icc_profile")
    if profile is None:
        return image
    if image.mode == "CMYK":
        return Image.fromarray(seen_in_print(image, profile))
    return Image.fromarray(srgb_from_p3(np.asarray(image)).round().astype(np.uint8))


def difference(image: Image.Image, looks: NDArray[np.generic]) -> float:
    """Mean difference of colours over black and over white, at the size of the original."""
    height, width = looks.shape[:2]
    small = image.convert("RGBA").resize((width, height), Image.Resampling.BOX)
    expected = Image.fromarray(looks.round().astype(np.uint8)).convert("RGBA")
    return max(
        float(np.abs(over(small, ground) - over(expected, ground)).mean())
        for ground in ("black", "white")
    )


def over(image: Image.Image, ground: str) -> NDArray[np.float64]:
    flat = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    return np.asarray(flat.convert("RGB"), np.float64)


def sheet(made: list[Kind]) -> None:
    """A row for each kind, to be looked at: what it looks like, both previews, the result."""
    if not (folder := os.environ.get("SHOTS")):
        return
    size = (4 * SIDE[0], 4 * SIDE[1])
    page = Image.new("RGBA", (4 * (size[0] + 8), len(made) * (size[1] + 8)), (128, 160, 128))
    for row, kind in enumerate(made):
        shown = [Image.fromarray(kind.looks.round().astype(np.uint8))]
        shown += [as_seen(opened(kind.files[what])) for what in ("original_preview", "preview")]
        shown.append(as_seen(opened(kind.files["result"])))
        for column, image in enumerate(shown):
            scaled = image.convert("RGBA").resize(size, Image.Resampling.NEAREST)
            page.alpha_composite(scaled, (column * (size[0] + 8), row * (size[1] + 8)))
    page.convert("RGB").save(Path(folder) / "kinds.png")
