"""Pictures in: every format and mode against pixels worked out by hand, and every kind of wreck."""

import io
import struct
import time
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from inference import image_io
from inference.errors import EngineError, InvalidFileType, MalformedImage, ResolutionTooHigh
from inference.geometry import Size
from inference.image_io import Header, Picture
from inference.metadata import Metadata
from inference.options import MetadataChoice
from tests.inference.pictures import (
    CANARY,
    P3_PRIMARIES,
    SRGB_PRIMARIES,
    THUMBNAIL,
    Pixels,
    chunk,
    cmyk_profile,
    decoded,
    exif_block,
    grey_profile,
    noise,
    one_colour_png,
    opened,
    photo,
    png_file,
    rgb_profile,
    saved,
    scanlines,
    srgb_curve,
    srgb_from_lab_bytes,
    srgb_from_p3,
    xmp_block,
)

LEFT_OUT = "The colour profile does not fit the picture and was left out."
ANIMATED = "The file is animated; its first frame was used."
FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}


def read(data: bytes, metadata: MetadataChoice = "safe") -> Picture:
    return image_io.read(io.BytesIO(data), metadata=metadata)


def header(data: bytes, max_pixels: int = image_io.DEFAULT_MAX_INPUT_PIXELS) -> Header:
    return image_io.read_header(io.BytesIO(data), max_pixels)


def lossless(image: Image.Image, file_format: str, **how: object) -> bytes:
    return saved(image, file_format, **({"lossless": True} if file_format == "WEBP" else {}), **how)


def blocks(colours: list[tuple[int, ...]], mode: str, side: int = 16) -> Image.Image:
    """A row of squares as large as JPEG's own, so that JPEG keeps them apart."""
    row = np.repeat(np.array(colours, np.uint8), side, axis=0)
    pixels = np.repeat(row[None], side, axis=0)
    return Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes())


def middles(pixels: Pixels, side: int = 16) -> Pixels:
    return pixels[side // 2, side // 2 :: side]


def quilt(height: int = 24, width: int = 36) -> Pixels:
    """No two corners or edges alike, and no symmetry."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(255, 30, height)[:, None]
    pixels[: height // 3, : width // 4, 2] = 200
    return pixels


# Modes


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 9)])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grey_of_few_bits_is_spread_over_all_levels(
    depth: int, size: tuple[int, int], interlaced: bool
) -> None:
    samples = np.random.default_rng(depth).integers(0, 2**depth, (size[1], size[0], 1))
    data = png_file(size, depth, 0, scanlines(samples, depth, interlaced), interlaced=interlaced)

    picture = read(data)

    assert np.array_equal(picture.pixels, samples * 255 // (2**depth - 1))
    assert picture.size == header(data).size == Size(*size)
    assert (picture.format, picture.notes, picture.has_alpha) == ("png", (), False)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_transparent_grey_level_is_transparent_at_every_depth(depth: int) -> None:
    samples = np.arange(2**depth).reshape(1, -1, 1)
    key = 2**depth - 1 if depth == 1 else 2**depth // 3
    data = png_file(
        (2**depth, 1),
        depth,
        0,
        scanlines(samples, depth),
        before=chunk(b"tRNS", struct.pack(">H", key)),
    )

    pixels = read(data).pixels

    assert header(data).has_alpha
    assert np.array_equal(pixels[..., 0], samples[..., 0] * 255 // (2**depth - 1))
    assert np.array_equal(pixels[..., 1], np.where(samples[..., 0] == key, 0, 255))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_become_their_colours(depth: int, transparent: bool, interlaced: bool) -> None:
    rng = np.random.default_rng(depth)
    palette = rng.integers(0, 256, (2**depth, 3), np.uint8)
    alphas = rng.integers(0, 255, 2**depth, np.uint8)
    samples = rng.integers(0, 2**depth, (9, 10, 1))
    before = chunk(b"PLTE", palette.tobytes())
    if transparent:
        before += chunk(b"tRNS", alphas.tobytes())
    rows = scanlines(samples, depth, interlaced)
    data = png_file((10, 9), depth, 3, rows, before=before, interlaced=interlaced)

    picture = read(data)

    assert np.array_equal(picture.pixels[..., :3], palette[samples[..., 0]])
    assert header(data).has_alpha == picture.has_alpha == transparent
    if transparent:
        assert np.array_equal(picture.pixels[..., 3], alphas[samples[..., 0]])


def test_a_short_transparency_list_leaves_the_other_palette_colours_opaque() -> None:
    samples = np.arange(4).reshape(1, 4, 1)
    before = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", bytes((0, 99)))

    pixels = read(png_file((4, 1), 2, 3, scanlines(samples, 2), before=before)).pixels

    assert pixels[0].tolist() == [[0, 1, 2, 0], [3, 4, 5, 99], [6, 7, 8, 255], [9, 10, 11, 255]]


def test_the_transparent_colour_of_an_rgb_png_is_transparent() -> None:
    samples = np.array([[[1, 2, 3], [1, 2, 4], [3, 2, 1], [1, 2, 3]]])
    key = chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))

    pixels = read(png_file((4, 1), 8, 2, scanlines(samples, 8), before=key)).pixels

    assert np.array_equal(pixels[..., :3], samples)
    assert pixels[0, :, 3].tolist() == [0, 255, 255, 0]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_png_of_eight_bits_is_read_as_it_is(colour: int, channels: int, interlaced: bool) -> None:
    pixels = noise(17, 13, channels)
    rows = scanlines(pixels, 8, interlaced)

    picture = read(png_file((13, 17), 8, colour, rows, interlaced=interlaced))

    assert np.array_equal(picture.pixels, pixels)
    assert picture.pixels.flags.c_contiguous
    assert picture.metadata == Metadata()


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_webp_is_read_as_it_is(channels: int) -> None:
    pixels = noise(17, 13, channels)
    if channels == 4:
        pixels[..., 3] |= 1

    picture = read(saved(Image.fromarray(pixels), "WEBP", lossless=True))

    assert np.array_equal(picture.pixels, pixels)
    assert (picture.format, picture.notes) == ("webp", ())


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": "4:4:4"}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_read_in_its_own_mode(mode: str, how: dict[str, object]) -> None:
    image = Image.fromarray(quilt()).convert(mode)

    picture = read(saved(image, "JPEG", quality=95, **how))

    assert picture.channels == len(mode)
    wrong = picture.pixels.astype(int) - decoded(saved(image, "PNG"))
    assert np.abs(wrong).mean() < 3
    assert (picture.format, picture.notes) == ("jpg", ())


@pytest.mark.parametrize("quality", [90, {"lossless": True}])
def test_lossy_and_lossless_webp_show_the_same_picture(quality: object) -> None:
    how = quality if isinstance(quality, dict) else {"quality": quality}

    picture = read(saved(Image.fromarray(quilt()), "WEBP", **how))

    assert np.abs(picture.pixels.astype(int) - quilt()).mean() < 4


@pytest.mark.parametrize(
    ("mode", "file_format"), [("LA", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP")]
)
def test_alpha_that_hides_nothing_is_dropped(mode: str, file_format: str) -> None:
    image = Image.fromarray(quilt()).convert(mode)
    almost = image.copy()
    almost.putpixel((3, 2), (*almost.getpixel((3, 2))[:-1], 254))

    opaque, veiled = read(lossless(image, file_format)), read(lossless(almost, file_format))

    assert (opaque.channels, opaque.has_alpha) == (len(mode) - 1, False)
    assert (veiled.channels, veiled.has_alpha) == (len(mode), True)
    assert np.array_equal(opaque.pixels, np.asarray(image)[..., :-1].reshape(opaque.pixels.shape))
    assert np.argwhere(veiled.pixels[..., -1] < 255).tolist() == [[2, 3]]


def test_an_animated_png_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]

    picture = read(saved(frames[0], "PNG", save_all=True, append_images=frames[1:]))

    assert (picture.pixels == (255, 0, 0)).all()
    assert picture.notes == (ANIMATED,)


def test_an_animated_webp_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]

    picture = read(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))

    assert (picture.pixels == (255, 0, 0)).all()
    assert picture.notes == (ANIMATED,)


def test_a_phones_two_pictures_in_one_jpeg_give_the_first_without_a_word() -> None:
    first, second = Image.fromarray(quilt()), Image.new("RGB", (36, 24), "red")
    data = saved(first, "MPO", save_all=True, append_images=[second], quality=95)

    picture = read(data)

    assert (picture.format, picture.notes) == ("jpg", ())
    assert np.abs(picture.pixels.astype(int) - quilt()).mean() < 3


def test_a_phones_second_picture_may_be_missing() -> None:
    first, second = Image.fromarray(quilt()), Image.fromarray(noise(24, 36, 3))
    data = saved(first, "MPO", save_all=True, append_images=[second], quality=95)

    picture = read(data[: data.index(b"\xff\xd9") + 2])

    assert np.abs(picture.pixels.astype(int) - quilt()).mean() < 3


# CMYK

INKS = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 200, 0, 0), (30, 60, 90, 120), (0, 0, 0, 255)]


def without_adobe_marker(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + struct.unpack_from(">H", data, at + 2)[0] :]


@pytest.mark.parametrize("marked", [True, False])
def test_cmyk_without_a_profile_is_paper_white_less_its_inks(marked: bool) -> None:
    # Stored upside down, as Adobe does; so do all others, with or without its marker.
    data = saved(blocks(INKS, "CMYK"), "JPEG", quality=100)
    data = data if marked else without_adobe_marker(data)

    picture = read(data)

    inks = np.array(INKS, float)
    expected = (255 - inks[:, :3]) * (255 - inks[:, 3:]) / 255
    assert np.abs(middles(picture.pixels) - expected).max() <= 2
    assert picture.metadata == Metadata(cmyk=True)


PRESSED = [(0, 128, 128, 0), (60, 128, 128, 0), (120, 140, 110, 0), (100, 120, 150, 0)]


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
def test_cmyk_with_a_profile_is_what_the_profile_says(choice: MetadataChoice) -> None:
    profile = cmyk_profile()
    inks = [*PRESSED, (0, 0, 0, 255)]
    data = saved(blocks(inks, "CMYK"), "JPEG", quality=100, icc_profile=profile)

    picture = read(data, choice)

    lab = np.array([(255 - c, m, y) for c, m, y, _ in PRESSED] + [(0, 128, 128)])
    assert np.abs(middles(picture.pixels) - srgb_from_lab_bytes(lab)).max() <= 3
    assert picture.metadata == (Metadata() if choice == "none" else Metadata(profile, cmyk=True))
    assert picture.notes == ()


def test_a_press_profile_without_a_way_back_is_left_out() -> None:
    profile = cmyk_profile(printable=False)
    data = saved(blocks(INKS, "CMYK"), "JPEG", quality=100, icc_profile=profile)

    picture = read(data)

    inks = np.array(INKS, float)
    expected = (255 - inks[:, :3]) * (255 - inks[:, 3:]) / 255
    assert np.abs(middles(picture.pixels) - expected).max() <= 2
    assert picture.metadata == Metadata(cmyk=True)
    assert picture.notes == (LEFT_OUT,)


# Orientation

TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def with_exif(image: Image.Image, file_format: str, exif: bytes, behind: bool = False) -> bytes:
    if file_format != "PNG":
        how = {"quality": 100, "subsampling": 0} if file_format == "JPEG" else {"lossless": True}
        return saved(image, file_format, exif=exif, **how)
    data = saved(image, "PNG")
    at = data.index(b"IEND" if behind else b"IDAT") - 4
    return data[:at] + chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + data[at:]


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
@pytest.mark.parametrize("place", ["PNG", "PNG behind the pixels", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright(orientation: int, place: str, choice: MetadataChoice) -> None:
    pixels = quilt()
    file_format, _, behind = place.partition(" ")
    data = with_exif(
        Image.fromarray(pixels), file_format, exif_block(orientation), behind=bool(behind)
    )

    picture = read(data, choice)

    expected = TURNED[orientation](pixels)
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels.astype(int) - expected).max() <= (3 if place == "JPEG" else 0)
    assert header(data).size == picture.size
    assert picture.pixels.flags.c_contiguous


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_mode_is_turned(mode: str) -> None:
    wide = (np.arange(24 * 36).reshape(24, 36) * 70).astype(np.uint16)
    image = Image.fromarray(wide if mode == "I;16" else quilt())
    image = image if mode == "I;16" else image.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize((36, 24)))

    plain = read(saved(image, "PNG")).pixels
    turned = read(with_exif(image, "PNG", exif_block(6))).pixels

    assert np.array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    data = with_exif(Image.fromarray(quilt()), "PNG", exif_block(orientation))

    assert np.array_equal(read(data).pixels, quilt())


# Colour profiles


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("choice", ["safe", "all"])
def test_a_profile_travels_with_untouched_pixels(file_format: str, choice: MetadataChoice) -> None:
    image, profile = Image.fromarray(quilt()), rgb_profile()

    with_profile = read(lossless(image, file_format, icc_profile=profile), choice)

    assert with_profile.metadata == Metadata(icc=profile)
    assert np.array_equal(with_profile.pixels, read(lossless(image, file_format)).pixels)
    assert with_profile.notes == ()


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_without_metadata_colours_are_converted_to_srgb(file_format: str, alpha: bool) -> None:
    # Within what sRGB can hold as well, then a few that it can't.
    levels = [(r, g, b) for r in (60, 128, 200) for g in (70, 128, 190) for b in (80, 128, 180)]
    levels += [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pixels = np.array([levels], np.uint8)
    image = Image.fromarray(pixels)
    veil = np.linspace(1, 255, len(levels)).astype(np.uint8)[None]
    if alpha:
        image.putalpha(Image.fromarray(veil))

    picture = read(lossless(image, file_format, icc_profile=rgb_profile()), "none")

    expected = srgb_from_p3(pixels)
    assert np.abs(expected - pixels).max() > 10
    assert np.abs(picture.pixels[..., :3] - expected).max() <= 2
    assert picture.metadata == Metadata()
    assert picture.notes == ()
    if alpha:
        assert np.array_equal(picture.pixels[..., 3], veil)


def test_without_metadata_a_profile_that_is_srgb_changes_next_to_nothing() -> None:
    # Its tone curve is a power, a little darker than sRGB's in the shadows only.
    data = saved(Image.fromarray(quilt()), "PNG", icc_profile=rgb_profile(SRGB_PRIMARIES))

    picture = read(data, "none")

    assert np.abs(picture.pixels.astype(int) - quilt())[quilt() > 60].max() <= 2
    assert P3_PRIMARIES != SRGB_PRIMARIES


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_with_a_profile_is_converted_or_kept_like_colour(mode: str) -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)[None]
    image = Image.fromarray(levels)
    if mode == "LA":
        image.putalpha(Image.fromarray(255 - levels // 2))
    profile = grey_profile(gamma=1.75)
    data = saved(image, "PNG", icc_profile=profile)

    kept, converted = read(data), read(data, "none")

    assert np.array_equal(kept.pixels[..., 0], levels)
    assert kept.metadata == Metadata(icc=profile)
    expected = 255 * srgb_curve((levels / 255) ** 1.75)
    assert np.abs(expected - levels).max() > 10
    assert np.abs(converted.pixels[..., 0] - expected).max() <= 2
    assert converted.metadata == Metadata()
    assert kept.channels == converted.channels == len(mode)
    assert np.array_equal(kept.pixels[..., 1:], converted.pixels[..., 1:])


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("L", rgb_profile()),
        ("RGB", grey_profile()),
        ("RGB", cmyk_profile()),
        ("RGB", b"this is no profile"),
        ("RGB", rgb_profile()[:100]),
        ("L", bytes(400)),
        ("CMYK", rgb_profile()),
        ("CMYK", b"this is no profile"),
    ],
)
def test_a_profile_that_does_not_fit_is_left_out_and_named(
    mode: str, profile: bytes, choice: MetadataChoice
) -> None:
    image = Image.fromarray(quilt()).convert(mode)
    bare = read(saved(image, "JPEG"), choice)

    picture = read(saved(image, "JPEG", icc_profile=profile), choice)

    assert picture.metadata.icc is None
    assert picture.notes == (LEFT_OUT,)
    assert np.array_equal(picture.pixels, bare.pixels)


# What else travels


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("choice", ["safe", "all"])
def test_the_print_resolution_is_kept(file_format: str, choice: MetadataChoice) -> None:
    data = saved(Image.fromarray(quilt()), file_format, dpi=(300, 240))

    dpi = read(data, choice).metadata.dpi

    assert dpi == pytest.approx((300, 240), abs=0.02)
    assert read(data, "none").metadata.dpi is None


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_the_print_resolution_is_found_in_exif(file_format: str) -> None:
    data = with_exif(Image.fromarray(quilt()), file_format, exif_block(1, resolution=300))

    assert read(data).metadata.dpi == (300, 300)
    assert read(data, "none").metadata == Metadata()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_no_print_resolution_is_made_up(file_format: str) -> None:
    data = with_exif(Image.fromarray(quilt()), file_format, exif_block(1))

    assert read(data).metadata.dpi is None


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_files_own_print_resolution_goes_before_that_of_its_exif(file_format: str) -> None:
    exif = exif_block(1, resolution=300)

    data = saved(Image.fromarray(quilt()), file_format, dpi=(200, 100), exif=exif)

    assert read(data).metadata.dpi == pytest.approx((200, 100), abs=0.02)


@pytest.mark.parametrize("across", [0, 2**31 - 1, 2**32 - 1])
def test_an_absurd_print_resolution_is_ignored(across: int) -> None:
    physical = chunk(b"pHYs", struct.pack(">IIB", across, 11811, 1))
    data = png_file((3, 3), 8, 0, scanlines(noise(3, 3, 1), 8), before=physical)

    assert read(data).metadata == Metadata()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_safe_keeps_nothing_that_tells_of_people_or_places(file_format: str) -> None:
    data = with_exif(Image.fromarray(quilt()), file_format, exif_block(6))

    assert read(data, "safe").metadata == read(data, "none").metadata == Metadata()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_all_keeps_exif_upright_and_without_its_thumbnail(
    file_format: str, orientation: int
) -> None:
    data = with_exif(Image.fromarray(quilt()), file_format, exif_block(orientation))

    kept = read(data, "all").metadata.exif

    assert kept is not None
    exif = Image.Exif()
    exif.load(kept)
    assert exif[0x0112] == 1
    assert exif[0x013B] == (CANARY + b"-exif").decode()
    assert exif.get_ifd(0x8825) == {1: "N", 2: (52.0, 31.0, 12.0)}
    assert THUMBNAIL in data
    assert THUMBNAIL not in kept
    assert b"THUMBNAIL" not in kept


def with_xmp(file_format: str, xmp: bytes, exif: bytes | None = None) -> bytes:
    image = Image.fromarray(quilt())
    extra = {"exif": exif} if exif else {}
    if file_format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return saved(image, "PNG", pnginfo=info, **extra)
    return saved(image, file_format, xmp=xmp, **extra)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_xmp_is_kept_with_all_and_only_then(file_format: str) -> None:
    data = with_xmp(file_format, xmp_block())

    assert read(data, "all").metadata == Metadata(xmp=xmp_block())
    assert read(data, "safe").metadata == read(data, "none").metadata == Metadata()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_xmp_does_not_turn_the_result_once_more(file_format: str) -> None:
    data = with_xmp(file_format, xmp_block(orientation=6), exif_block(6))

    picture = read(data, "all")

    assert picture.size == Size(24, 36)
    assert picture.metadata.xmp == xmp_block(orientation=1)


def test_comments_and_texts_are_never_taken_over() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", CANARY.decode())
    info.add_text("Author", CANARY.decode(), zip=True)
    files = [
        saved(Image.fromarray(quilt()), "JPEG", comment=CANARY),
        saved(Image.fromarray(quilt()), "PNG", pnginfo=info),
    ]

    for data in files:
        assert read(data, "all").metadata == Metadata()


# Limits and wrecks


def check_error(error: EngineError) -> None:
    """A sentence, and another one that says what to do."""
    for sentence in (error.message, error.hint):
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".")
        assert "\n" not in sentence
    assert str(error) == f"{error.message} {error.hint}"
    assert error.code == type(error).code != EngineError.code


def refusal(data: bytes) -> EngineError | None:
    """What `read` says to a file; `read_header` may say the same or accept it, nothing else."""
    try:
        read(data)
    except EngineError as error:
        check_error(error)
        try:
            header(data)
        except type(error):
            pass
        return error
    return None


def test_an_empty_file_is_named_so() -> None:
    error = refusal(b"")

    assert isinstance(error, InvalidFileType)
    assert error.message == "The file is empty."


@pytest.mark.parametrize(
    "data",
    [
        b"h",
        b"Dear diary, this is not a picture.\n",
        bytes(1),
        bytes(1000),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
        b"%PDF-1.7\n",
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_other_files_are_not_pictures_whatever_they_are_called(data: bytes) -> None:
    assert isinstance(refusal(data), InvalidFileType)


@pytest.mark.parametrize(
    "file_format", ["GIF", "BMP", "TIFF", "EPS", "PPM", "ICO", "TGA", "PCX", "JPEG2000", "PDF"]
)
def test_pictures_of_other_formats_are_refused(file_format: str) -> None:
    data = saved(Image.fromarray(quilt()), file_format)

    assert isinstance(refusal(data), InvalidFileType)


WRECKED = {
    "PNG": ("PNG", {}),
    "PNG with a palette": ("PNG", {"mode": "P"}),
    "PNG, one row": ("PNG", {"size": (300, 1)}),
    "JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "grey JPEG": ("JPEG", {"mode": "L"}),
    "CMYK JPEG": ("JPEG", {"mode": "CMYK"}),
    "JPEG with restarts": ("JPEG", {"restart_marker_blocks": 2}),
    "WebP": ("WEBP", {}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "WebP with alpha": ("WEBP", {"mode": "RGBA"}),
    "WebP with metadata": ("WEBP", {"exif": exif_block(1)}),
}


@pytest.mark.parametrize("kind", WRECKED)
def test_a_file_cut_short_is_refused_or_whole_but_never_half_a_picture(kind: str) -> None:
    file_format, how = WRECKED[kind]
    how = {"quality": 90, **how}
    image = photo(*how.pop("size", (40, 30))).convert(how.pop("mode", "RGB"))
    if image.mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    data = saved(image, file_format, **how)
    whole = read(data).pixels
    named_damaged: list[bool] = []
    lengths = [*range(1, 40), *range(40, len(data), 7), *range(len(data) - 40, len(data))]

    for length in lengths:
        try:
            pixels = read(data[:length]).pixels
        except (MalformedImage, InvalidFileType) as error:
            check_error(error)
            named_damaged.append(isinstance(error, MalformedImage))
        else:
            # Only what follows the last pixel may be missing.
            assert length >= len(data) - {"PNG": 12, "JPEG": 2}[file_format]
            assert np.array_equal(pixels, whole)
    # Twelve bytes are enough to know what the file wanted to be.
    assert all(named_damaged[11:])


def test_half_the_rows_in_a_well_formed_png_are_not_a_picture() -> None:
    rows = scanlines(noise(20, 30, 3), 8)

    assert isinstance(refusal(png_file((30, 20), 8, 2, rows[: len(rows) // 2])), MalformedImage)


def test_a_row_with_an_unknown_filter_is_not_read_as_black() -> None:
    rows = bytearray(scanlines(noise(20, 30, 3), 8))
    rows[10 * 91] = 9

    assert isinstance(refusal(png_file((30, 20), 8, 2, bytes(rows))), MalformedImage)


def test_a_damaged_byte_in_a_png_is_noticed() -> None:
    data = saved(photo(16, 12), "PNG")
    whole = read(data).pixels

    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 32
        try:
            pixels = read(bytes(broken)).pixels
        except (MalformedImage, InvalidFileType) as error:
            check_error(error)
        else:
            assert at >= len(data) - 12
            assert np.array_equal(pixels, whole)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_damaged_bytes_never_end_in_anything_but_a_picture_or_a_refusal(file_format: str) -> None:
    data = saved(photo(40, 30), file_format, exif=exif_block(6))
    rng = np.random.default_rng(1)

    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            broken[at] = rng.integers(0, 256)
        try:
            picture = read(bytes(broken))
        except EngineError as error:
            check_error(error)
        else:
            assert picture.size == header(bytes(broken)).size


@pytest.mark.parametrize(
    "data",
    [
        png_file((0, 5), 8, 2, bytes(5)),
        png_file((5, 0), 8, 2, b""),
        png_file((5, 5), 3, 2, bytes(500)),
        png_file((5, 5), 8, 5, bytes(500)),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"RIFF\0\0\0\0WEBP",
        b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(40),
    ],
)
def test_headers_without_a_picture_are_damaged_files(data: bytes) -> None:
    assert isinstance(refusal(data), MalformedImage)


def test_a_huge_picture_is_refused_by_its_header_alone() -> None:
    data = one_colour_png(13_000)
    assert len(data) < 3_000_000

    tracemalloc.start()
    before = time.perf_counter()
    with pytest.raises(ResolutionTooHigh) as caught:
        read(data)
    with pytest.raises(ResolutionTooHigh):
        header(data)
    accepted = header(data, max_pixels=169_000_000)
    spent = time.perf_counter() - before
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    check_error(caught.value)
    assert "169 megapixels; 25 " in caught.value.message
    assert accepted == Header("png", Size(13_000, 13_000), has_alpha=False)
    assert spent < 0.3
    assert peak < 5_000_000


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_the_limit_itself_is_accepted(file_format: str) -> None:
    data = saved(Image.fromarray(quilt()), file_format)

    assert image_io.read(io.BytesIO(data), max_pixels=36 * 24).size == Size(36, 24)
    with pytest.raises(ResolutionTooHigh) as caught:
        image_io.read(io.BytesIO(data), max_pixels=36 * 24 - 1)
    check_error(caught.value)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (2**31 - 1, 1)])
def test_sides_beyond_all_reason_are_too_many_pixels(size: tuple[int, int]) -> None:
    assert isinstance(refusal(png_file(size, 8, 2, b"")), ResolutionTooHigh)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x05\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x02up\0\0\0\0\0\0",
        exif_block(1)[:60],
    ],
)
def test_broken_exif_costs_nothing_but_itself(exif: bytes, file_format: str) -> None:
    data = with_exif(Image.fromarray(quilt()), file_format, exif)

    for choice in ("none", "safe", "all"):
        picture = read(data, choice)
        assert picture.size == header(data).size == Size(36, 24)
        assert np.abs(picture.pixels.astype(int) - quilt()).max() <= (
            3 if file_format == "JPEG" else 0
        )


def test_oddities_of_a_file_are_not_told_to_the_terminal() -> None:
    first, second = Image.fromarray(quilt()), Image.fromarray(noise(24, 36, 3))
    phone = saved(first, "MPO", save_all=True, append_images=[second])
    odd = [phone[: phone.index(b"\xff\xd9") + 2], with_exif(first, "JPEG", exif_block(1)[:60])]

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for data in odd:
            header(data)
            read(data, "all")

    assert told == []


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(900_000))) * 100,
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_texts_that_inflate_a_thousandfold_are_not_inflated(text: bytes, place: str) -> None:
    data = png_file((3, 3), 8, 0, scanlines(noise(3, 3, 1), 8), **{place: text})

    tracemalloc.start()
    refusal(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 150_000_000 if text.count(b"iTXt") > 1 else peak < 10_000_000


def test_a_header_is_read_without_the_pixels() -> None:
    half = saved(photo(200, 200), "PNG")[:3000]

    assert header(half) == Header("png", Size(200, 200), has_alpha=False)
    with pytest.raises(MalformedImage):
        read(half)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_source_is_read_from_its_start_wherever_it_stands(file_format: str) -> None:
    source = io.BytesIO(lossless(Image.fromarray(quilt()), file_format))
    source.seek(0, io.SEEK_END)

    seen = image_io.read_header(source)
    picture = image_io.read(source)

    assert seen == Header(picture.format, picture.size, picture.has_alpha)
    assert picture.format == FORMATS[file_format]
    assert not source.closed


@pytest.mark.parametrize(
    ("pixels", "said"), [(24_000_000, "24"), (24_160_000, "24.2"), (273_280, "0.3"), (1, "0")]
)
def test_megapixels_are_said_as_people_do(pixels: int, said: str) -> None:
    assert image_io.megapixels(pixels) == said


def test_the_files_made_for_these_tests_are_what_they_claim() -> None:
    """Pillow agrees about a profile, an orientation and an interlaced file that are made here."""
    rows = scanlines(noise(9, 7, 3), 8, interlaced=True)
    interlaced = png_file((7, 9), 8, 2, rows, interlaced=True)
    jpeg = saved(Image.fromarray(quilt()), "JPEG", exif=exif_block(6, resolution=300))

    assert np.array_equal(decoded(interlaced), noise(9, 7, 3))
    assert opened(interlaced).info["interlace"] == 1
    assert opened(jpeg).getexif()[0x0112] == 6
    assert opened(jpeg).getexif().get_ifd(0x8825)[2] == (52, 31, 12)
