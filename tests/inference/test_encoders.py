"""Pictures out: what Pillow finds in the files, and what must not be in them."""

import io
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from inference import encoders, image_io, whole_picture
from inference.errors import FormatCannotHold
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import FORMATS, Format, MetadataChoice, Options
from tests.inference.pictures import (
    CANARY,
    GAMMA,
    THUMBNAIL,
    Pixels,
    chunk,
    cmyk_profile,
    decoded,
    exif_block,
    grey_profile,
    noise,
    opened,
    photo,
    rgb_profile,
    saved,
    srgb_curve,
    srgb_from_lab_bytes,
    xmp_block,
)

MODES = ("L", "LA", "RGB", "RGBA")


def encoded(
    output_format: Format,
    pixels: Pixels,
    metadata: Metadata | None = None,
    options: Options | None = None,
    strip: int = 7,
) -> bytes:
    sink = io.BytesIO()
    height, width, channels = pixels.shape
    encoder = encoders.encoder(
        output_format,
        sink,
        Size(width, height),
        channels,
        metadata or Metadata(),
        options or Options(),
    )
    for top in range(0, height, strip):
        encoder.write(pixels[top : top + strip])
    encoder.finish()
    return sink.getvalue()


def smooth(channels: int, height: int = 40, width: int = 52) -> Pixels:
    """Colours that lossy formats keep, another ramp in every channel, and one hard edge."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = [across, down, 1 - across, 0.2 + 0.8 * down][:channels]
    pixels = np.rint(255 * np.stack(planes, -1)).astype(np.uint8)
    pixels[10:20, 10:20] = [250, 120, 30, 200][:channels]
    return pixels


def as_rgb(pixels: Pixels) -> Pixels:
    """What WebP stores of them: RGB, or RGBA."""
    grey, alpha = pixels[..., :1], pixels[..., 1:]
    return np.concatenate([grey, grey, grey, alpha], -1) if pixels.shape[2] < 3 else pixels


# What fits


@pytest.mark.parametrize(
    ("output_format", "longest"), [("png", 2**31 - 1), ("jpg", 65_500), ("webp", 16_383)]
)
def test_a_side_may_be_as_long_as_the_format_allows(output_format: Format, longest: int) -> None:
    encoders.check(output_format, Size(longest, 1), has_alpha=False)
    encoders.check(output_format, Size(1, longest), has_alpha=False)

    for size in (Size(longest + 1, 1), Size(1, longest + 1)):
        with pytest.raises(FormatCannotHold) as caught:
            encoders.check(output_format, size, has_alpha=False)
        assert f"{longest:,}" in caught.value.message
        assert caught.value.message.endswith(".")
        assert caught.value.hint.endswith(".")


@pytest.mark.parametrize(("output_format", "longest"), [("jpg", 65_500), ("webp", 16_383)])
def test_these_limits_are_those_of_the_libraries(output_format: Format, longest: int) -> None:
    pixels = np.full((1, longest, 3), 99, np.uint8)

    assert opened(encoded(output_format, pixels)).size == (longest, 1)


def test_transparency_is_refused_by_jpeg_only() -> None:
    encoders.check("png", Size(10, 10), has_alpha=True)
    encoders.check("webp", Size(10, 10), has_alpha=True)

    with pytest.raises(FormatCannotHold) as caught:
        encoders.check("jpg", Size(10, 10), has_alpha=True)

    assert caught.value.hint == "Choose PNG or WebP."


@pytest.mark.parametrize("output_format", ["jpg", "webp"])
def test_sixteen_bits_are_refused_by_all_but_png(output_format: Format) -> None:
    with pytest.raises(FormatCannotHold, match="8 bits per channel, not 16"):
        encoders.encoder(output_format, io.BytesIO(), Size(3, 2), 3, Metadata(), Options(), bits=16)


def test_sixteen_bits_come_back_from_png() -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (20, 30, 3), np.uint16)
    sink = io.BytesIO()
    encoder = encoders.encoder("png", sink, Size(30, 20), 3, Metadata(), Options(), bits=16)
    encoder.write(pixels)
    encoder.finish()

    read = cv2.imdecode(np.frombuffer(sink.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[..., ::-1], pixels)


# What it takes


def test_png_needs_no_whole_picture_and_the_others_say_what_they_would_take() -> None:
    size = Size(16_000, 12_000)

    def check(output_format: Format, bytes_free: int) -> None:
        encoders.check_memory(output_format, size, 3, Metadata(), Options(), bytes_free)

    check("png", 0)
    check("jpg", 800_000_000)
    check("webp", 8_000_000_000)
    with pytest.raises(FormatCannotHold) as caught:
        check("jpg", 700_000_000)
    assert caught.value.message == (
        "A JPEG file is made in one piece, which can take 776 MB of memory for 16000 × 12000 "
        "pixels; 700 MB may be used."
    )
    assert caught.value.hint.startswith("Choose PNG")
    with pytest.raises(FormatCannotHold, match=r"7\.3 GB of memory .* 2\.0 GB may"):
        check("webp", 2_000_000_000)


KINDS: tuple[tuple[Format, int, bool, dict[str, object]], ...] = (
    ("jpg", 1, False, {}),
    ("jpg", 3, False, {}),
    ("jpg", 3, True, {"quality": 100}),
    ("webp", 3, False, {}),
    ("webp", 3, False, {"quality": 90}),
    ("webp", 4, False, {}),
    ("webp", 3, False, {"lossless": True}),
    ("webp", 4, False, {"lossless": True}),
)
MEASURE = """
import sys
import numpy as np
from inference import encoders
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Options
from PIL import Image

class Sink:
    def write(self, data): pass

def bytes_of(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

output_format, channels, cmyk, options = eval(sys.argv[1])
Image.init()
random = np.random.default_rng(1)
before = bytes_of("VmRSS")
encoder = encoders.encoder(
    output_format, Sink(), Size(1600, 1280), channels, Metadata(cmyk=cmyk), Options(**options)
)
for _ in range(160):
    encoder.write(random.integers(0, 256, (8, 1600, channels), np.uint8))
encoder.finish()
print(bytes_of("VmHWM") - before)
"""


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_an_encoder_is_counted_with_is_what_noise_takes_at_its_peak(
    kind: tuple[Format, int, bool, dict[str, object]],
) -> None:
    output_format, channels, cmyk, how = kind
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, repr(kind)], capture_output=True, text=True, check=True
    )
    taken = int(done.stdout)

    counted = whole_picture.bytes_needed(
        output_format, Size(1600, 1280), channels, Metadata(cmyk=cmyk), Options(**how)
    )

    # The few megabytes that any process takes on the way to its first file are counted as well.
    assert taken <= counted <= 1.3 * taken + 8_000_000


# Pixels


@pytest.mark.parametrize("strip", [1, 7, 1000])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_holds_every_kind_of_picture_exactly(channels: int, strip: int) -> None:
    pixels = noise(20, 13, channels)

    data = encoded("png", pixels, strip=strip)

    assert opened(data).format == "PNG"
    assert opened(data).mode == MODES[channels - 1]
    assert np.array_equal(decoded(data), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_webp_holds_every_visible_pixel_exactly(channels: int) -> None:
    pixels = noise(20, 13, channels)

    data = encoded("webp", pixels, options=Options(lossless=True))

    found, expected = decoded(data), as_rgb(pixels)
    assert opened(data).format == "WEBP"
    assert found.shape == expected.shape
    visible = expected[..., -1] > 0 if channels in (2, 4) else np.full((20, 13), True)
    assert np.array_equal(found[visible], expected[visible])
    assert np.array_equal(found[..., 3:], expected[..., 3:])


@pytest.mark.parametrize(
    ("output_format", "channels"),
    [("jpg", 1), ("jpg", 3), ("webp", 1), ("webp", 2), ("webp", 3), ("webp", 4)],
)
def test_lossy_formats_stay_close(output_format: Format, channels: int) -> None:
    pixels = smooth(channels)

    found = decoded(encoded(output_format, pixels)).astype(int)

    expected = as_rgb(pixels) if output_format == "webp" else pixels
    assert found.shape == expected.shape
    # A swapped channel or a shift by a pixel is far above this.
    assert np.abs(found - expected).mean() < 2.5
    assert np.array_equal(found[..., 3:], expected[..., 3:])


@pytest.mark.parametrize("output_format", ["jpg", "webp"])
def test_a_higher_quality_is_closer_and_larger(output_format: Format) -> None:
    pixels = np.asarray(photo(96, 64))

    files = [
        encoded(output_format, pixels, options=Options(quality=quality)) for quality in (30, 95)
    ]

    wrong = [np.abs(decoded(data).astype(int) - pixels).mean() for data in files]
    assert wrong[1] < wrong[0] / 1.5
    assert len(files[1]) > 1.5 * len(files[0])


@pytest.mark.parametrize("kind", ["RGB", "CMYK"])
def test_jpeg_keeps_colour_at_full_resolution(kind: str) -> None:
    data = encoded("jpg", smooth(3), Metadata(cmyk=kind == "CMYK"))

    components = data[re.search(rb"\xff[\xc0-\xc2]", data).start() + 9 :]
    factors = [components[1 + 3 * i + 1] for i in range(components[0])]
    assert factors == [0x11] * len(kind)


@pytest.mark.parametrize("output_format", ["jpg", "webp"])
def test_rows_that_never_came_are_noticed(output_format: Format) -> None:
    encoder = encoders.encoder(output_format, io.BytesIO(), Size(9, 9), 3, Metadata(), Options())
    encoder.write(noise(8, 9, 3))

    with pytest.raises(AssertionError):
        encoder.finish()


@pytest.mark.parametrize("output_format", FORMATS)
def test_of_a_sink_only_write_is_used(output_format: Format) -> None:
    class Sink:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += bytes(data)
            return len(data)

    sink = Sink()
    pixels = smooth(3)
    encoder = encoders.encoder(
        output_format,
        sink,  # type: ignore[arg-type]
        Size(52, 40),
        3,
        Metadata(icc=rgb_profile(), dpi=(300, 300)),
        Options(),
    )
    encoder.write(pixels)
    encoder.finish()

    assert sink.data == encoded(
        output_format, pixels, Metadata(icc=rgb_profile(), dpi=(300, 300)), strip=40
    )


# CMYK

SOLID = [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 128, 255), (12, 34, 56), (200, 180, 160)]


def squares(colours: list[tuple[int, int, int]]) -> Pixels:
    return np.repeat(np.repeat(np.array([colours], np.uint8), 16, 0), 16, 1)


def test_cmyk_without_a_profile_shows_the_same_colours_with_all_it_can_in_black() -> None:
    data = encoded("jpg", squares(SOLID), Metadata(cmyk=True), Options(quality=100))

    image = opened(data)
    assert image.mode == "CMYK"
    assert "icc_profile" not in image.info
    inks = np.asarray(image)[8, 8::16].astype(float)
    colours = np.array(SOLID, float)
    assert np.abs(inks[:, 3] - (255 - colours.max(1))).max() <= 1
    assert (inks[:, :3].min(1) <= 1).all()
    assert np.abs(np.asarray(image.convert("RGB"))[8, 8::16] - colours).max() <= 2


def test_cmyk_goes_back_through_its_own_profile() -> None:
    inks = np.array([(30, 128, 128, 0), (60, 128, 128, 0), (120, 140, 110, 0), (100, 120, 150, 0)])
    lab = np.stack([255 - inks[:, 0], inks[:, 1], inks[:, 2]], axis=1)
    colours = [tuple(colour) for colour in np.rint(srgb_from_lab_bytes(lab)).astype(int)]

    data = encoded(
        "jpg", squares(colours), Metadata(cmyk_profile(), cmyk=True), Options(quality=100)
    )

    image = opened(data)
    assert image.mode == "CMYK"
    assert image.info["icc_profile"] == cmyk_profile()
    assert np.abs(np.asarray(image)[8, 8::16] - inks).max() <= 3


@pytest.mark.parametrize("profile", [None, cmyk_profile()])
@pytest.mark.parametrize("output_format", ["png", "webp"])
def test_formats_without_cmyk_get_plain_srgb(output_format: Format, profile: bytes | None) -> None:
    metadata = Metadata(profile, dpi=(300, 300), cmyk=True)

    data = encoded(output_format, smooth(3), metadata, Options(lossless=True))

    assert opened(data).mode == "RGB"
    assert np.array_equal(decoded(data), smooth(3))
    assert not opened(data).info.get("icc_profile")


def test_a_cmyk_jpeg_keeps_its_inks_from_end_to_end() -> None:
    image = photo(64, 48).convert("CMYK")
    picture = image_io.read(io.BytesIO(saved(image, "JPEG", quality=100)))

    result = opened(encoded("jpg", picture.pixels, picture.metadata, Options(quality=100)))

    assert result.mode == "CMYK"
    wrong = np.asarray(result.convert("RGB")).astype(int) - np.asarray(image.convert("RGB"))
    assert np.abs(wrong).mean() < 2


# Metadata


@pytest.mark.parametrize(
    ("output_format", "channels"),
    [("png", 3), ("png", 4), ("jpg", 3), ("webp", 3), ("webp", 4)],
)
def test_a_profile_is_passed_on_byte_for_byte(output_format: Format, channels: int) -> None:
    data = encoded(output_format, smooth(channels), Metadata(icc=rgb_profile()))

    assert opened(data).info["icc_profile"] == rgb_profile()


def test_a_profile_larger_than_one_jpeg_segment_is_passed_on() -> None:
    profile = rgb_profile() + bytes(150_000)

    assert opened(encoded("jpg", smooth(3), Metadata(icc=profile))).info["icc_profile"] == profile


@pytest.mark.parametrize("output_format", ["png", "jpg"])
def test_a_grey_profile_is_passed_on_where_grey_is_kept(output_format: Format) -> None:
    data = encoded(output_format, smooth(1), Metadata(icc=grey_profile()))

    assert opened(data).mode == "L"
    assert opened(data).info["icc_profile"] == grey_profile()


@pytest.mark.parametrize("channels", [1, 2])
def test_webp_has_no_grey_so_its_colours_are_converted_instead(channels: int) -> None:
    pixels = smooth(channels)
    metadata = Metadata(icc=grey_profile(gamma=GAMMA / 1.2))

    data = encoded("webp", pixels, metadata, Options(lossless=True))

    expected = 255 * srgb_curve((pixels[..., :1] / 255) ** (GAMMA / 1.2))
    assert np.abs(expected - pixels[..., :1]).max() > 10
    compared = (pixels[..., 0] > 20) & (pixels[..., -1] > 0)
    assert np.abs(decoded(data)[..., :3] - expected)[compared].max() <= 2
    assert np.array_equal(decoded(data)[..., 3:], pixels[..., 1:])
    assert not opened(data).info.get("icc_profile")


@pytest.mark.parametrize("exif", [None, exif_block(1)])
def test_the_print_resolution_is_written(exif: bytes | None) -> None:
    metadata = Metadata(dpi=(299.9994, 240.2), exif=exif)

    assert opened(encoded("png", smooth(3), metadata)).info["dpi"] == pytest.approx(
        (300, 240.2), abs=0.02
    )
    assert opened(encoded("jpg", smooth(3), metadata)).info["dpi"] == (300, 240)
    webp = opened(encoded("webp", smooth(3), metadata)).getexif()
    assert (webp[0x011A], webp[0x011B]) == pytest.approx((300, 240.2), abs=0.01)
    assert webp[0x0128] == 2
    if exif:
        assert webp[0x013B] == (CANARY + b"-exif").decode()
        assert webp.get_ifd(0x8825)[2] == (52, 31, 12)


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_print_resolution_survives_from_file_to_file(output_format: Format) -> None:
    data = encoded(output_format, smooth(3), Metadata(dpi=(72, 144)))

    assert image_io.read(io.BytesIO(data)).metadata.dpi == pytest.approx((72, 144), abs=0.02)


@pytest.mark.parametrize("output_format", FORMATS)
def test_nothing_is_written_that_was_not_given(output_format: Format) -> None:
    image = opened(encoded(output_format, smooth(3)))

    assert not {"dpi", "icc_profile", "exif", "xmp", "comment"} & {
        k for k, v in image.info.items() if v
    }


@pytest.mark.parametrize("output_format", FORMATS)
def test_exif_and_xmp_are_written(output_format: Format) -> None:
    exif, xmp = exif_block(1), xmp_block()

    image = opened(encoded(output_format, smooth(3), Metadata(exif=exif, xmp=xmp)))

    assert image.getexif()[0x013B] == (CANARY + b"-exif").decode()
    assert image.getexif().get_ifd(0x8825)[1] == "N"
    assert image.info["xmp"] == xmp


def test_a_png_holds_its_metadata_in_the_chunks_made_for_it() -> None:
    metadata = Metadata(rgb_profile(), (300, 300), exif_block(1), xmp_block())

    data = encoded("png", smooth(3), metadata)

    start = data.index(b"iCCP") + 4
    profile = data[start : start + struct.unpack_from(">I", data, start - 8)[0]]
    assert zlib.decompress(profile.split(b"\0\0", 1)[1]) == rgb_profile()
    assert chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)) in data
    assert chunk(b"eXIf", exif_block(1).removeprefix(b"Exif\0\0")) in data
    assert chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_block()) in data
    assert all(data.index(kind) < data.index(b"IDAT") for kind in (b"iCCP", b"eXIf", b"iTXt"))


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(exif=exif_block(1) + bytes(70_000)),
        Metadata(xmp=xmp_block(padding=70_000)),
        Metadata(xmp=xmp_block(padding=70_000), exif=exif_block(1)),
    ],
)
def test_a_block_too_long_for_jpeg_does_not_cost_the_picture(metadata: Metadata) -> None:
    image = opened(encoded("jpg", smooth(3), metadata))

    assert image.size == (52, 40)
    assert "xmp" not in image.info
    assert ("exif" in image.info) == (len(metadata.exif or bytes(99_999)) < 65_000)


@pytest.mark.parametrize("length", [65_504, 65_505, 65_533, 65_534])
def test_the_longest_blocks_that_jpeg_can_hold_are_kept(length: int) -> None:
    exif = exif_block(1).ljust(length, b"\0")
    xmp = xmp_block(padding=length - len(xmp_block()))

    image = opened(encoded("jpg", smooth(3), Metadata(exif=exif, xmp=xmp)))

    assert (image.info.get("exif") == exif) == (length <= 65_533)
    assert (image.info.get("xmp") == xmp) == (length <= 65_504)


def telltale(file_format: str) -> bytes:
    """A picture with something personal in every place that its format has."""
    image = photo(40, 30)
    how = {"exif": exif_block(6), "xmp": xmp_block(), "icc_profile": rgb_profile(), "quality": 95}
    if file_format == "JPEG":
        return saved(image, "JPEG", comment=CANARY + b"-comment", dpi=(300, 300), **how)
    if file_format == "WEBP":
        return saved(image, "WEBP", **how)
    data = saved(image, "PNG", icc_profile=rgb_profile(), dpi=(300, 300), exif=exif_block(6))
    texts = chunk(b"tEXt", b"Author\0" + CANARY) + chunk(b"iTXt", b"Comment\0\0\0\0\0" + CANARY)
    texts += chunk(b"zTXt", b"Title\0\0" + zlib.compress(CANARY)) + chunk(b"prIv", CANARY)
    texts += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_block())
    at = data.index(b"IDAT") - 4
    return data[:at] + texts + data[at:] + CANARY


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_only_what_was_chosen_reaches_the_result(
    file_format: str, output_format: Format, choice: MetadataChoice
) -> None:
    picture = image_io.read(io.BytesIO(telltale(file_format)), metadata=choice)

    data = encoded(output_format, picture.pixels, picture.metadata)

    image = opened(data)
    found = re.findall(re.escape(CANARY) + rb"-?\w*", data)
    assert sorted(found) == ([CANARY + b"-exif", CANARY + b"-xmp"] if choice == "all" else [])
    assert THUMBNAIL not in data
    assert (image.info.get("icc_profile") or None) == (None if choice == "none" else rgb_profile())
    assert image.size == (30, 40)
    assert image.getexif().get(0x0112, 1) == 1
    assert bool(image.getexif().get_ifd(0x8825)) == (choice == "all")
    assert "comment" not in image.info
    assert not getattr(image, "text", {}).keys() - {"XML:com.adobe.xmp"}


def test_pillow_can_convert_with_the_profiles_made_for_these_tests() -> None:
    for profile in (rgb_profile(), grey_profile(), cmyk_profile()):
        assert ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(profile)))
    assert Image.new("RGB", (1, 1)).mode == "RGB"
