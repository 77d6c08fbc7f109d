"""One tile of a preview: its pixels at the next smaller level, and its bytes.

Knows arrays, colours and WebP; where a tile lies is known by `pyramid`. Imports no torch.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from inference import colour
from inference.metadata import Metadata

Pixels = NDArray[np.uint8]

QUALITY = 90  # below that, the comparison lies
# WebP's fastest effort takes a third of the time of its default. It changes the file's size, by a
# fifth on a photo, and not what is seen.
_EFFORT = 0
_LARGEST_PROFILE = 4096  # bytes; it is repeated in every tile


def halved(rows: Pixels) -> Pixels:
    """Means of two by two pixels, at an odd edge of the one or two that are there.

    `rows` has shape (height, width, channels as in `Picture`), the result half of both, rounded up.
    Colours count by their alpha, so that what lies beneath transparency shines through nowhere;
    where all is transparent they count alike.
    """
    if rows.shape[2] in (1, 3):
        half = np.asarray(_image(rows).reduce(2))
        return half[:, :, None] if half.ndim == 2 else half
    # Not Pillow's, which multiplies alpha in and out again in 8 bits, at every level.
    even = np.pad(rows, ((0, len(rows) % 2), (0, rows.shape[1] % 2), (0, 0)), "edge")
    alpha = even[..., -1:].astype(np.uint32)
    weight = _sums(alpha)
    visible = (_sums(even[..., :-1] * alpha) + weight // 2) // np.maximum(weight, 1)
    hidden = (_sums(even[..., :-1].astype(np.uint32)) + 2) // 4
    colours = np.where(weight > 0, visible, hidden)
    return np.concatenate([colours, (weight + 2) // 4], axis=2).astype(np.uint8)


def _sums(pixels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    pairs = pixels[0::2] + pixels[1::2]
    return pairs[:, 0::2] + pairs[:, 1::2]


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)


@dataclass(frozen=True)
class TileColours:
    """How a tile shows the picture's colours to a browser: by its profile, or in sRGB."""

    embedded: bytes | None = None
    converted_from: bytes | None = None

    @classmethod
    def of(cls, metadata: Metadata, channels: int) -> "TileColours":
        """What suits pixels of so many channels with this metadata, both as in `Picture`."""
        icc = None if metadata.cmyk else metadata.icc
        if icc is None:
            return cls()
        # WebP has no grey: a grey profile would not fit the RGB that it stores.
        if len(icc) <= _LARGEST_PROFILE and colour.profile_space(icc) == "RGB " and channels > 2:
            return cls(embedded=icc)
        try:
            colour.to_srgb(_image(np.zeros((1, 1, channels), np.uint8)), icc)
        except (OSError, ImageCms.PyCMSError):
            return cls()  # a profile that can't be used here is of no use to a browser either
        return cls(converted_from=icc)

    def webp(self, pixels: Pixels) -> bytes:
        """The file of one tile, with nothing in it but pixels and, maybe, their profile.

        May be called by several threads; the encoder lets them run.
        """
        image = _image(pixels)
        if self.converted_from:
            image = colour.to_srgb(image, self.converted_from)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=QUALITY, method=_EFFORT, icc_profile=self.embedded)
        return buffer.getvalue()
