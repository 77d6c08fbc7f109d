"""Names that users give their pictures: data to show, never paths."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

_LONGEST = 200
_UNNAMED = "picture"
_LONGEST_FILE_NAME = 255  # bytes, with nearly every file system


def clean(name: str) -> str:
    """The name as it may be kept and shown: composed (NFC), one line, at most 200 characters.

    Control characters and those that turn the writing direction are dropped (a name must not show
    another ending than it has), and so is any folder in front of it.
    """
    kept = one_line(name.replace("\\", "/").rpartition("/")[2])
    if len(kept) > _LONGEST:
        stem, dot, ending = kept.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""
        kept = _trimmed(kept[: _LONGEST - len(ending)] + ending)
    return kept or _UNNAMED


def one_line(text: str) -> str:
    """The text as it can be part of a name that is kept: composed, without control characters and
    those that turn the writing direction, and without space around it."""
    text = unicodedata.normalize("NFC", text)
    return _trimmed("".join(c for c in text if _is_kept(c)))


def _trimmed(text: str) -> str:
    return re.sub(rf"^[\s{_JOINERS}]+|[\s{_JOINERS}]+$", "", text)


def _is_kept(character: str) -> bool:
    # Cc control, Cf format and direction, Co private, Cs lone surrogates, Zl and Zp line breaks.
    dropped = unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    return not dropped or character in _JOINERS


# Of the invisible ones, these belong to the spelling: of Persian and Hindi words, of a family.
_JOINERS = "\u200c\u200d"


def file_name(name: str) -> str:
    """The name, cleaned, as one that a file of ours can have: never `.`, `..` or hidden, and at
    most 255 bytes long."""
    kept = clean(name)
    return fitting(f"_{kept}" if kept.startswith(".") else kept)


def portable(name: str) -> str:
    """The name, cleaned, as one that a file can have on anybody's machine."""
    kept = re.sub(r'[<>:"|?*]', "_", file_name(name)).rstrip(". ") or _UNNAMED
    return fitting(f"_{kept}" if _RESERVED.match(kept) else kept)


# What Windows takes for a device, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def fitting(stem: str, ending: str = "") -> str:
    """Both together, the stem cut so that a file can have the name. Without an ending that is
    given, the name's own is kept."""
    if not ending and len(stem.encode()) > _LONGEST_FILE_NAME:
        first, dot, last = stem.rpartition(".")
        if first and len(last) <= 10:
            stem, ending = first, dot + last
    room = _LONGEST_FILE_NAME - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names, with a counter where a file system that ignores case would find two alike."""
    taken = set[str]()
    for name in names:
        stem, dot, ending = name.rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (name, "")
        unique, number = name, 1
        while unique.casefold() in taken:
            number += 1
            unique = fitting(stem, f" ({number}){ending}")
        taken.add(unique.casefold())
        yield unique
