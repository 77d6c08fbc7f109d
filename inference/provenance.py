"""The mark of content that a trained network made, in XMP.

Digital Source Type is the property by which programs and platforms tell it. Two terms of its
vocabulary could be meant (https://cv.iptc.org/newscodes/digitalsourcetype/, as of October 2024).
`compositeWithTrainedAlgorithmicMedia`, "Edited using Generative AI", is for "augmentation,
correction or enhancement using a Generative AI model", and is used: the networks are the generators
of adversarial training, and the detail they draw was learnt from other pictures.
`algorithmicallyEnhanced`, for "sharpening or applying noise reduction", is what readers take for no
AI at all. A picture that says it was made by AI as a whole goes on saying so.

AI System Used is of the IPTC Photo Metadata Standard 2025.1. `xmp:CreatorTool` is left alone: it
names the first tool of a picture, such as the camera.

Knows XMP and what each format holds of it; nothing of pixels. XMP is ISO 16684-1.
"""

import html
import re
from dataclasses import replace
from xml.parsers import expat

from inference.metadata import Metadata
from inference.options import Format, Options
from inference.whole_picture import JPEG_EXIF_MOST, JPEG_XMP_MOST

TOOL = "ImagesUpscaler"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_EDITED = _TERMS + "compositeWithTrainedAlgorithmicMedia"
_MADE_BY_AI = "trainedAlgorithmicMedia"

_SOURCE_TYPE = f"{_IPTC} DigitalSourceType"
_SYSTEM = f"{_IPTC} AISystemUsed"
_OURS = (_SOURCE_TYPE, _SYSTEM)
_DESCRIPTION = [f"{_RDF} RDF", f"{_RDF} Description"]

_LARGEST = 1 << 22  # bytes that are looked through, which takes seconds when they mean to

_UNREADABLE = "The picture's XMP can't be read, so only the mark of AI stands in the result's."
_XMP_TOO_LONG = "The picture's XMP is longer than a JPEG can hold and was left out."
_EXIF_TOO_LONG = "The picture's EXIF is longer than a JPEG can hold and was left out."


class _Unreadable(ValueError):
    """Not an XMP packet in which anything could be changed."""


def marked(
    metadata: Metadata, output_format: Format, options: Options
) -> tuple[Metadata, tuple[str, ...]]:
    """What is written into the result, and sentences about what of the input's is not.

    The mark is merged into the XMP that is kept, in place of what this says about the same. With
    `options.metadata` of `none` nothing is written, and without `options.mark` nothing is added.
    Blocks too long for the format are left out, the mark never.
    """
    notes = []
    if output_format == "jpg" and len(metadata.exif or b"") > JPEG_EXIF_MOST:
        metadata = replace(metadata, exif=None)
        notes.append(_EXIF_TOO_LONG)
    kept, mark = metadata.xmp, options.mark and options.metadata != "none"
    xmp = kept
    if mark:
        try:
            xmp = _packet(options.model) if kept is None else _merged(kept, options.model)
        except _Unreadable:
            xmp = _packet(options.model)
            notes.append(_UNREADABLE)
    if output_format == "jpg" and len(xmp or b"") > JPEG_XMP_MOST:
        xmp = _packet(options.model) if mark else None
        notes.append(_XMP_TOO_LONG)
    return replace(metadata, xmp=xmp), tuple(notes)


def _packet(model: str) -> bytes:
    """A packet with the mark alone."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'{_description("", _EDITED, _system(model))}</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _system(model: str) -> str:
    return f"{TOOL} ({model})"


def _description(about: str, source_type: str = "", system: str = "") -> str:
    """Names its own namespaces, whatever the packet around it calls them."""
    properties = {"DigitalSourceType": source_type, "AISystemUsed": system}
    elements = "".join(
        f"<Iptc4xmpExt:{name}>{html.escape(value)}</Iptc4xmpExt:{name}>"
        for name, value in properties.items()
        if value
    )
    return (
        f'<rdf:Description xmlns:rdf="{_RDF}" xmlns:Iptc4xmpExt="{_IPTC}" '
        f'rdf:about="{html.escape(about)}">{elements}</rdf:Description>'
    )


def _merged(packet: bytes, model: str) -> bytes:
    """The packet with the mark, all other bytes of it as they were. Raises `_Unreadable`."""
    if len(packet) > _LARGEST or b"\0" in (packet := packet.rstrip(b"\0")):  # UTF-16 and UTF-32
        raise _Unreadable
    found = _Reader(packet)
    was_made_by_ai = found.value(_SOURCE_TYPE).rpartition("/")[2] == _MADE_BY_AI
    source_type = _TERMS + _MADE_BY_AI if was_made_by_ai else _EDITED
    system, before = _system(model), found.value(_SYSTEM)
    if before:
        system = before if system in before else f"{before}, {system}"
    addition = _description(found.about, source_type, system)
    parts, at = [], 0
    for start, end in [*found.spans, (found.end, found.end)]:
        parts.append(packet[at:start])
        at = end
    # What an earlier mark leaves behind says nothing any more.
    kept = b"".join(parts).replace(_description(found.about).encode(), b"")
    merged = kept + addition.encode("ascii", "xmlcharrefreplace") + packet[found.end :]
    _Reader(merged)
    return merged


# The whole of a tag, and its attributes one after the other. `>` may stand inside of quotes.
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=<>"'/]+)\s*=\s*(?:"[^"]*"|'[^']*')""")


class _Reader:
    """Finds in a packet what the mark replaces, and where it goes.

    Expat walks through, and stops at a document type: without one, no entity can be declared, and
    none expands. Only properties of the picture itself are looked at, not those of pictures that
    it was made of.
    """

    def __init__(self, packet: bytes) -> None:
        """Raises `_Unreadable`."""
        self.about = ""
        """The name that the packet's descriptions have for the picture, usually none."""
        self.spans: list[tuple[int, int]] = []
        """Bytes of the properties, in order."""
        self.end = -1
        """Where the descriptions end."""
        self._packet = packet
        self._values: dict[str, str] = {}
        self._path: list[str] = []
        self._start, self._whole = 0, b""
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(packet, True)
        except expat.ExpatError as error:
            raise _Unreadable from error
        if self.end < 0:
            raise _Unreadable

    def value(self, name: str) -> str:
        """What the packet says of a property, by its namespace and name."""
        return self._values.get(name, "").strip()

    def _refuse(self, *_: object) -> None:
        raise _Unreadable

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(_plain(name))
        at = self._parser.CurrentByteIndex
        if self._path[-1] == _DESCRIPTION[0] and self._tag(at).endswith(b"/>"):
            raise _Unreadable  # nothing in it to keep
        if self._path[-2:] == _DESCRIPTION and self.end < 0:
            values = {_plain(attribute): value for attribute, value in attributes.items()}
            self.about = values.get(f"{_RDF} about", self.about)
            written = {_written(attribute): _plain(attribute) for attribute in attributes}
            for found in _ATTRIBUTE.finditer(self._tag(at)):
                attribute = written.get(found[1], "")
                if attribute in _OURS:
                    self.spans.append((at + found.start(), at + found.end()))
                    self._values[attribute] = values[attribute]
        elif property_name := self._property():
            self._start, self._whole = at, self._tag(at)
            # As text, or as a reference: both are common.
            values = {_plain(attribute): value for attribute, value in attributes.items()}
            self._values[property_name] = values.get(f"{_RDF} resource", "")

    def _close(self, _name: str) -> None:
        at = self._parser.CurrentByteIndex
        if self._property():
            # Of an element that is one tag, expat gives the place behind it here.
            empty = self._whole.endswith(b"/>")
            self.spans.append((self._start, at if empty else at + len(self._tag(at))))
        elif self._path[-1] == _DESCRIPTION[0] and self.end < 0:
            self.end = at
        self._path.pop()

    def _text(self, text: str) -> None:
        if property_name := self._property():
            self._values[property_name] += text

    def _property(self) -> str | None:
        """Which of the properties the walk is in, if any."""
        is_ours = self._path[-1] in _OURS and self._path[-3:-1] == _DESCRIPTION
        return self._path[-1] if is_ours and self.end < 0 else None

    def _tag(self, at: int) -> bytes:
        tag = _TAG.match(self._packet, at)
        if tag is None:
            raise _Unreadable
        return tag[0]


def _plain(name: str) -> str:
    """Namespace and name, of what expat gives: both, and the prefix they were written with."""
    return " ".join(name.split(" ")[:2])


def _written(name: str) -> bytes:
    """The name with its prefix, as it is in the packet."""
    return ":".join(name.split(" ")[:0:-1]).encode()
