"""What was done to a picture, as history and API show it."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from inference.geometry import Size
from inference.options import Bits, Format
from inference.scaling import Scaling


@dataclass(frozen=True)
class Report:
    """The record of one finished upscale. Holds nothing of the picture's content."""

    input: Size
    """Pixels, after orientation was applied."""
    output: Size
    output_format: Format
    bits: Bits
    """Bits per channel of the result."""
    scaling: Scaling
    """What the network did and what the resize filter did. `str()` of it is a sentence."""
    model: str
    architecture: str
    model_source: str
    """Where the weights came from. Files of one name from two sources differ in their low bits."""
    weights_sha256: str
    """Over sorted tensors, see `inference.weights`."""
    device: str
    dtype: str
    """`fp32`, `fp16` or `bf16`: what the last piece ran in."""
    tile: int | None
    """Side of a tile's core in input pixels; `None` when the picture went through whole."""
    tiles: int
    """Pieces that went through the network, over all passes."""
    restarts: int
    """Pieces thrown away because memory ran out."""
    seconds: dict[str, float]
    """Wall time by phase: `load`, `decode`, `network`, `resize`, `encode`, `total`, and, when asked
    for, `preview`. Finished rows are resized and encoded while the network goes on with the next,
    so the phases may add up to more than `total`."""
    peak_memory: int
    """Bytes: the process's resident peak on a CPU, the allocator's peak on a GPU. Pictures that
    were made at the same time are in it, from when the last of them was begun."""
    versions: dict[str, str]
    """Of the libraries that decide a pixel's value."""
    kernels: str = "plain"
    """`plain` for torch's own layers, or `onednn-fused`; see `inference.ways`."""
    notes: tuple[str, ...] = ()
    """Sentences about what the reader might not expect."""
    denoise: float | None = None
    """As in the options. Where it is given, `weights_sha256` is that of the mixed weights."""


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that decide a pixel's value."""
    return {name: version(name) for name in ("torch", "spandrel", "pillow")}
