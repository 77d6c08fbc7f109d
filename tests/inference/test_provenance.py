"""The mark of AI, read by Pillow, an XML parser and from the bytes; and packets of every kind."""

import io
import re
import struct
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from inference import image_io, provenance
from inference.engine import Engine
from inference.metadata import Metadata
from inference.options import FORMATS, Format, MetadataChoice, Options
from inference.report import Report
from inference.weights import ModelStore
from tests.inference.pictures import CANARY, chunk, exif_block, opened, photo, saved, xmp_block

FAST = "realesr-animevideov3"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DC = "{http://purl.org/dc/elements/1.1/}"
SYSTEM = f"ImagesUpscaler ({FAST})"
UNREADABLE = "The picture's XMP can't be read, so only the mark of AI stands in the result's."
XMP_TOO_LONG = "The picture's XMP is longer than a JPEG can hold and was left out."
EXIF_TOO_LONG = "The picture's EXIF is longer than a JPEG can hold and was left out."
CREDENTIALS = (
    "The picture's content credentials (C2PA) are not carried over: they vouch for the original "
    "file only."
)


def packet(descriptions: str, names: str = "Iptc4xmpExt") -> bytes:
    """As Adobe's programs write it, padding included. Most bytes are to stay."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Ädobe">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"\n'
        f'   xmlns:{names}="{IPTC[1:-1]}" xmlns:dc="{DC[1:-1]}">\n{descriptions}\n </rdf:RDF>\n'
        f'</x:xmpmeta>\n{" " * 99}\n<?xpacket end="w"?>'
    ).encode()


def marked(
    xmp: bytes | None = None, output_format: Format = "png", **options: object
) -> tuple[bytes, tuple[str, ...]]:
    asked = Options(**{"model": FAST, "metadata": "all", **options})
    metadata, notes = provenance.marked(Metadata(xmp=xmp), output_format, asked)
    return metadata.xmp, notes


def properties(xmp: bytes) -> list[tuple[str, str]]:
    """Names and values of all properties of the picture itself, in whatever form they stand."""
    found = []
    for description in ET.fromstring(xmp.decode()).iter(f"{RDF}Description"):
        found += [(k, v) for k, v in description.items() if k != f"{RDF}about"]
        found += [(e.tag, e.get(f"{RDF}resource") or (e.text or "").strip()) for e in description]
    return found


OURS = [(f"{IPTC}DigitalSourceType", EDITED), (f"{IPTC}AISystemUsed", SYSTEM)]


def test_a_picture_without_xmp_gets_a_packet_that_says_who_made_it() -> None:
    xmp, notes = marked()

    assert properties(xmp) == OURS
    assert notes == ()
    assert xmp.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode())
    assert xmp.endswith(b'<?xpacket end="r"?>')


EARLIER = {
    "nothing about it": '<rdf:Description rdf:about="" dc:format="a"/>',
    "an attribute": f'<rdf:Description rdf:about="" Iptc4xmpExt:DigitalSourceType="{CAMERA}" '
    'dc:format="a"/>',
    "an attribute in single quotes": "<rdf:Description rdf:about=''\n\tdc:format='a'\n"
    f"Iptc4xmpExt:DigitalSourceType = '{CAMERA}'\n></rdf:Description>",
    "an element": '<rdf:Description rdf:about=""><dc:format>a</dc:format>'
    f"<Iptc4xmpExt:DigitalSourceType>{CAMERA}</Iptc4xmpExt:DigitalSourceType></rdf:Description>",
    "a reference": '<rdf:Description rdf:about="" dc:format="a"><Iptc4xmpExt:DigitalSourceType '
    f'rdf:resource="{CAMERA}"/></rdf:Description>',
    "an empty element": '<rdf:Description rdf:about="" dc:format="a">'
    "<Iptc4xmpExt:DigitalSourceType/></rdf:Description>",
    "two, in two descriptions": '<rdf:Description rdf:about="" dc:format="a">'
    f"<Iptc4xmpExt:DigitalSourceType>{CAMERA}</Iptc4xmpExt:DigitalSourceType></rdf:Description>"
    f'<rdf:Description rdf:about="" Iptc4xmpExt:DigitalSourceType="{CAMERA}"/>',
    "the same mark": '<rdf:Description rdf:about="" dc:format="a" '
    f'Iptc4xmpExt:DigitalSourceType="{EDITED}" Iptc4xmpExt:AISystemUsed="{SYSTEM}"/>',
}


@pytest.mark.parametrize("name", ["Iptc4xmpExt", "ns7"])
@pytest.mark.parametrize("earlier", EARLIER)
def test_the_mark_takes_the_place_of_what_was_said_before(earlier: str, name: str) -> None:
    before = packet(EARLIER[earlier].replace("Iptc4xmpExt", name), name)

    xmp, notes = marked(before)

    assert properties(xmp) == [(f"{DC}format", "a"), *OURS]
    assert notes == ()
    # And nothing else has moved, not even a space.
    head, tail = before.split(b'dc:format="a"')[0][:200], before.split(b"</rdf:RDF>")[1]
    assert xmp.startswith(head)
    assert xmp.endswith(b"</rdf:RDF>" + tail)


def test_marking_twice_is_marking_once() -> None:
    once, _ = marked(packet('<rdf:Description rdf:about="" dc:format="a"/>'))
    twice, _ = marked(once)

    assert twice == once


@pytest.mark.parametrize("said", [MADE, "trainedAlgorithmicMedia", f"\n {MADE}\n"])
def test_a_picture_made_by_ai_as_a_whole_goes_on_saying_so(said: str) -> None:
    before = packet(
        f'<rdf:Description rdf:about="uuid:7&amp;8"><Iptc4xmpExt:DigitalSourceType>{said}'
        "</Iptc4xmpExt:DigitalSourceType><Iptc4xmpExt:AISystemUsed>Draw &amp; Söhne"
        "</Iptc4xmpExt:AISystemUsed></rdf:Description>"
    )

    xmp, _ = marked(before)

    assert properties(xmp) == [
        (f"{IPTC}DigitalSourceType", MADE),
        (f"{IPTC}AISystemUsed", f"Draw & Söhne, {SYSTEM}"),
    ]
    # All descriptions of one picture call it the same.
    names = {d.get(f"{RDF}about") for d in ET.fromstring(xmp.decode()).iter(f"{RDF}Description")}
    assert names == {"uuid:7&8"}


def test_what_is_said_about_other_pictures_and_in_texts_stays() -> None:
    inner = (
        '<rdf:Description rdf:about=""\n dc:format="> Iptc4xmpExt:DigitalSourceType=\'x\' &lt;">'
        "<dc:source><rdf:Bag><rdf:li rdf:parseType='Resource'><Iptc4xmpExt:DigitalSourceType>"
        f"{CAMERA}</Iptc4xmpExt:DigitalSourceType></rdf:li></rdf:Bag></dc:source>"
        "<dc:title>&lt;Iptc4xmpExt:AISystemUsed&gt;</dc:title></rdf:Description>"
        "<!-- <Iptc4xmpExt:AISystemUsed>y</Iptc4xmpExt:AISystemUsed> </rdf:RDF> -->"
    )

    xmp, notes = marked(packet(inner))

    assert notes == ()
    assert inner.encode() in xmp
    assert properties(xmp)[-2:] == OURS


SOUND = packet('<rdf:Description rdf:about=""/>')
BROKEN = {
    "nothing": b"",
    "text": b"no xml",
    "half an element": b"<a>",
    "other xml": b"<a/>",
    "two bytes a letter": b"\xff\xfe<\0a\0/\0>\0",
    "no name for its prefixes": xmp_block(),
    "an open element": packet("<rdf:Description>"),
    "an unknown prefix": packet("<unknown:prefix/>"),
    "a control character": packet("\x01"),
    "Latin-1": SOUND.replace("Ä".encode(), b"\xc4"),
    "UTF-16": SOUND.decode().encode("utf-16"),
    "no descriptions": b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
    "an entity": b'<!DOCTYPE a [<!ENTITY b "c">]>' + SOUND.partition(b"\n")[2],
    "a file": b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + SOUND.partition(b"\n")[2],
}


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("what", BROKEN)
def test_xmp_that_cannot_be_read_makes_room_for_the_mark_and_is_named(
    what: str, output_format: Format
) -> None:
    broken = BROKEN[what]

    xmp, notes = marked(broken, output_format)

    assert properties(xmp) == OURS
    assert notes == (UNREADABLE,)
    assert marked(broken, output_format, mark=False) == (broken, ())


@pytest.mark.parametrize(
    "hostile",
    [
        b"<a>" * 1_300_000,
        b"<a b='" * 600_000,
        packet("<rdf:Description " + "a='' " * 400_000 + "/>"),
        packet("".join(f"<rdf:Description dc:a{i}=''/>" for i in range(90_000))),
        bytes(50_000_000),
        b"<!DOCTYPE l [<!ENTITY a 'ha'>"
        + b"".join(b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 99) for i in range(20))
        + b"]>"
        + packet("&u;").partition(b"\n")[2],
    ],
    ids=["deep", "quotes", "attributes", "many", "zeros", "laughs"],
)
def test_a_packet_made_to_take_for_ever_takes_seconds(hostile: bytes) -> None:
    before = time.process_time()

    xmp, _ = marked(hostile)

    assert properties(xmp)[-2:] == OURS
    assert time.process_time() - before < 10


def test_a_models_name_may_have_any_character() -> None:
    xmp, _ = marked(model="<é&\"'>")

    assert properties(xmp)[1][1] == "ImagesUpscaler (<é&\"'>)"


# What fits


def long_packet(length: int) -> bytes:
    bare = packet('<rdf:Description rdf:about="" dc:format=""/>')
    return bare.replace(b'format=""', b'format="%s"' % (b"x" * (length - len(bare))))


def test_of_xmp_too_long_for_jpeg_the_mark_is_written_alone_and_it_is_told() -> None:
    added = len(marked(long_packet(2_000))[0]) - 2_000

    for length, fits in ((65_504 - added, True), (65_505 - added, False), (300_000, False)):
        xmp, notes = marked(long_packet(length), "jpg")
        assert (properties(xmp)[-2:], len(xmp) <= 65_504) == (OURS, True)
        assert (len(properties(xmp)) == 3) == fits
        assert notes == (() if fits else (XMP_TOO_LONG,))
    for output_format in ("png", "webp"):
        xmp, notes = marked(long_packet(300_000), output_format)
        assert (len(xmp), notes) == (300_000 + added, ())


def test_without_a_mark_a_block_too_long_for_jpeg_is_left_out_and_told() -> None:
    exif = exif_block(1).ljust(65_534, b"\0")
    metadata = Metadata(exif=exif, xmp=long_packet(65_505))
    asked = Options(model=FAST, metadata="all", mark=False)

    assert provenance.marked(metadata, "jpg", asked) == (
        Metadata(),
        (EXIF_TOO_LONG, XMP_TOO_LONG),
    )
    assert provenance.marked(metadata, "webp", asked) == (metadata, ())
    fitting = Metadata(exif=exif[:-1], xmp=long_packet(65_504))
    assert provenance.marked(fitting, "jpg", asked) == (fitting, ())


# In files


@pytest.fixture(scope="module")
def engine(models_path: Path) -> Engine:
    return Engine(ModelStore(models_path), device="cpu")


def upscale(engine: Engine, data: bytes, **options: object) -> tuple[bytes, Report]:
    sink = io.BytesIO()
    report = engine.upscale(io.BytesIO(data), sink, Options(**{"model": FAST, **options}))
    return sink.getvalue(), report


def xmp_in(data: bytes) -> list[bytes]:
    """The packets in the place that each format has for them."""
    if data.startswith(b"\x89PNG"):
        head = b"iTXtXML:com.adobe.xmp\0\0\0\0\0"
        return [
            data[at.end() :][: struct.unpack_from(">I", data, at.start() - 4)[0] - 22]
            for at in re.finditer(re.escape(head), data)
        ]
    if data.startswith(b"RIFF"):
        return [
            data[at + 8 :][: struct.unpack_from("<I", data, at + 4)[0]]
            for at in (found.start() for found in re.finditer(b"XMP ", data))
        ]
    name = b"http://ns.adobe.com/xap/1.0/\0"
    return [
        data[at.end() :][: struct.unpack_from(">H", data, at.start() + 2)[0] - 2 - len(name)]
        for at in re.finditer(re.escape(b"\xff\xe1") + b".." + re.escape(name), data, re.DOTALL)
    ]


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_holds_the_mark_unless_nothing_is_to_be_written(
    engine: Engine, output_format: Format, choice: MetadataChoice
) -> None:
    data, report = upscale(
        engine, saved(photo(8, 8), "PNG"), output_format=output_format, metadata=choice
    )

    packets = xmp_in(data)
    assert [properties(xmp) for xmp in packets] == ([] if choice == "none" else [OURS])
    image = opened(data)
    assert [image.info["xmp"]] == packets if packets else "xmp" not in image.info
    assert report.notes == ()


@pytest.mark.parametrize("output_format", FORMATS)
def test_without_the_mark_nothing_is_added(engine: Engine, output_format: Format) -> None:
    source = photo(8, 8)
    plain, _ = upscale(
        engine, saved(source, "PNG"), output_format=output_format, mark=False, metadata="all"
    )
    kept, _ = upscale(
        engine,
        saved(source, "WEBP", lossless=True, xmp=xmp_block()),
        output_format=output_format,
        mark=False,
        metadata="all",
    )

    assert xmp_in(plain) == []
    assert xmp_in(kept) == [xmp_block()]


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_xmp_is_kept_and_marked_from_file_to_file(
    engine: Engine, file_format: str, output_format: Format
) -> None:
    said = packet(
        f'<rdf:Description rdf:about="" Iptc4xmpExt:DigitalSourceType="{CAMERA}" '
        f'dc:format="{CANARY.decode()}"/>'
    )
    image = photo(8, 8)
    if file_format == "PNG":
        data = saved(image, "PNG")
        at = data.index(b"IDAT") - 4
        data = data[:at] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + said) + data[at:]
    else:
        data = saved(image, file_format, xmp=said)

    everything, _ = upscale(engine, data, output_format=output_format, metadata="all")
    safe, _ = upscale(engine, data, output_format=output_format)

    assert [properties(xmp) for xmp in xmp_in(everything)] == [
        [(f"{DC}format", CANARY.decode()), *OURS]
    ]
    assert [properties(xmp) for xmp in xmp_in(safe)] == [OURS]
    assert CANARY not in safe


def test_a_jpeg_keeps_its_mark_when_the_rest_does_not_fit(engine: Engine) -> None:
    data = saved(photo(8, 8), "WEBP", xmp=long_packet(70_000))

    result, report = upscale(engine, data, output_format="jpg", metadata="all")

    assert [properties(xmp) for xmp in xmp_in(result)] == [OURS]
    assert report.notes == (XMP_TOO_LONG,)


# Content credentials

# A JUMBF superbox with its description: ISO 19566-5, and the UUID and label of C2PA.
MANIFEST = (
    struct.pack(">I", 80)
    + b"jumb"
    + struct.pack(">I", 38)
    + b"jumd"
    + b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
).ljust(80, b"\0")


def with_credentials(file_format: str, box: bytes = MANIFEST) -> bytes:
    data = saved(photo(8, 8), file_format, quality=95)
    if file_format == "PNG":
        at = data.index(b"IDAT") - 4
        return data[:at] + chunk(b"caBX", box) + data[at:]
    if file_format == "JPEG":
        segment = b"JP" + struct.pack(">HI", 1, 1) + box
        return data[:20] + b"\xff\xeb" + struct.pack(">H", 2 + len(segment)) + segment + data[20:]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes((0, 0, 0, 0, 7, 0, 0, 7, 0, 0))
    body = b"WEBP" + extended + data[12:] + b"C2PA" + struct.pack("<I", len(box)) + box
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("choice", ["none", "safe", "all"])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_content_credentials_are_missed_aloud_and_never_passed_on(
    engine: Engine, file_format: str, choice: MetadataChoice
) -> None:
    data = with_credentials(file_format)

    result, report = upscale(engine, data, metadata=choice)

    assert report.notes == (CREDENTIALS,)
    assert opened(data).size == (8, 8)
    assert b"c2pa" not in result
    assert b"C2PA" not in result


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_other_pictures_have_no_credentials_to_miss(file_format: str) -> None:
    other_box = MANIFEST.replace(b"c2pa", b"jpeg")
    files = [saved(photo(40, 30), file_format, exif=exif_block(1))]
    if file_format == "JPEG":
        files.append(with_credentials(file_format, other_box))

    for data in files:
        assert image_io.read(io.BytesIO(data)).notes == ()


def test_damage_before_the_pixels_is_not_taken_for_credentials() -> None:
    data = with_credentials("JPEG")
    rng = np.random.default_rng(2)

    for _ in range(200):
        broken = bytearray(data)
        broken[rng.integers(2, 120)] = rng.integers(0, 256)
        provenance_says = io.BytesIO(bytes(broken))
        # Yes or no, and an end.
        assert image_io.credentials.has_manifest(provenance_says, "jpg") in (True, False)


def test_the_packets_made_for_these_tests_are_what_they_claim() -> None:
    assert properties(packet('<rdf:Description rdf:about="" dc:format="a"/>')) == [
        (f"{DC}format", "a")
    ]
    assert len(long_packet(70_000)) == 70_000
    assert [opened(with_credentials(f)).size for f in ("PNG", "JPEG", "WEBP")] == [(8, 8)] * 3
