"""Names that users give their pictures: data to show, never paths."""

import unicodedata

_LONGEST = 200
_UNNAMED = "picture"


def clean(name: str) -> str:
    """The name as it may be kept and shown: composed (NFC), one line, at most 200 characters.

    Control characters and those that turn the writing direction are dropped (a name must not show
    another ending than it has), and so is any folder in front of it.
    """
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    # Cc control, Cf format and direction, Co private, Cs lone surrogates, Zl and Zp line breaks.
    kept = "".join(c for c in name if unicodedata.category(c) not in _DROPPED).strip()
    if len(kept) > _LONGEST:
        stem, dot, ending = kept.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""
        kept = kept[: _LONGEST - len(ending)] + ending
    return kept or _UNNAMED


_DROPPED = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
