"""Pictures to hand in."""

import io
from pathlib import Path

from PIL import Image

FAST = "realesr-animevideov3"
PHOTOS = Path(__file__).parent.parent / "data" / "photos"


def picture(width: int = 24, height: int = 16, output_format: str = "PNG") -> bytes:
    """A cut of a real photo."""
    stream = io.BytesIO()
    with Image.open(PHOTOS / "coffee.png") as photo:
        photo.convert("RGB").resize((160, 110)).crop((0, 0, width, height)).save(
            stream, output_format
        )
    return stream.getvalue()
