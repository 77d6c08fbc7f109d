"""What the caller asks of the engine. Knows nothing of how it is done."""

from dataclasses import dataclass
from typing import Literal, get_args

from inference.errors import FormatCannotHold, InvalidOptions

Format = Literal["png", "jpg", "webp"]
MetadataChoice = Literal["none", "safe", "all"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]
Bits = Literal[8, 16]

SCALES = (2, 3, 4, 8, 16)
FORMATS: tuple[Format, ...] = get_args(Format)
METADATA_CHOICES: tuple[MetadataChoice, ...] = get_args(MetadataChoice)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEPTHS: tuple[Bits, ...] = get_args(Bits)

DEFAULT_MODEL = "realesrgan-x4plus"
DEFAULT_SCALE = 4


@dataclass(frozen=True)
class Options:
    """One picture's order. Raises `InvalidOptions` when it contradicts itself."""

    model: str = DEFAULT_MODEL
    """Name of an installed model."""

    scale: int | None = None
    """Output size over input size, one of `SCALES`. `None` means `DEFAULT_SCALE`, unless a target
    size is given."""

    width: int | None = None
    """Target width in pixels. The aspect ratio is kept. Together with `height`: the largest size
    that fits inside both."""

    height: int | None = None
    """Target height in pixels."""

    long_side: int | None = None
    """Target length of the longer side in pixels. Excludes `width` and `height`."""

    output_format: Format | None = None
    """`None`: the format of the input."""

    quality: int = 95
    """Quality of JPEG and lossy WebP, 1 to 100."""

    lossless: bool = False
    """Write WebP without loss. Without meaning for other formats."""

    bits: Bits | None = None
    """Bits per channel of the result. `None`: as many as the input has, where the format holds
    them. Only PNG holds 16."""

    metadata: MetadataChoice = "safe"
    """`safe` keeps the colour profile and the print resolution; `all` keeps EXIF and XMP as well;
    `none` keeps nothing, so colours are converted to sRGB."""

    mark: bool = True
    """Say in the result's XMP that a trained network made it, see `inference.provenance`. Without
    meaning where `metadata` is `none`: then nothing is written at all."""

    precision: Precision = "auto"
    """Arithmetic of the network. `auto` takes the fastest that the device and the network have,
    and `fp32` for a result of 16 bits, which the others cannot hold."""

    tile: int | None = None
    """Side in input pixels of the square that a piece of work owns; the network's full halo is
    always added around it. `None`: as large as memory allows, the whole picture if it fits."""

    memory_budget: int | None = None
    """Bytes that the network may use for one piece. `None`: half of what is free."""

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            choices = ", ".join(map(str, SCALES[:-1])) + f" or {SCALES[-1]}"
            raise InvalidOptions(f"A scale of {self.scale} is not offered.", f"Use {choices}.")
        sides = {"width": self.width, "height": self.height, "long side": self.long_side}
        for name, side in sides.items():
            if side is not None and side < 1:
                raise InvalidOptions(
                    f"A {name} of {side} pixels is not possible.", "Use 1 or more."
                )
        if self.scale is not None and self.has_target:
            raise InvalidOptions(
                "A scale and a target size contradict each other.", "Give one of the two."
            )
        if self.long_side is not None and (self.width is not None or self.height is not None):
            raise InvalidOptions(
                "A long side and a width or height contradict each other.", "Give one of the two."
            )
        for value, allowed in (
            (self.output_format, (None, *FORMATS)),
            (self.metadata, METADATA_CHOICES),
            (self.precision, PRECISIONS),
            (self.bits, (None, *DEPTHS)),
        ):
            if value not in allowed:
                offered = ", ".join(str(choice) for choice in allowed if choice)
                raise InvalidOptions(f"{value!r} is not one of the choices.", f"Use {offered}.")
        if self.bits == 16 and self.output_format not in (None, "png"):
            raise InvalidOptions(
                f"{self.output_format} holds 8 bits per channel.", "Use png for 16 bits."
            )
        if not 1 <= self.quality <= 100:
            raise InvalidOptions(f"A quality of {self.quality} is not possible.", "Use 1 to 100.")
        if self.tile is not None and self.tile < 16:
            raise InvalidOptions(f"A tile of {self.tile} pixels is too small.", "Use 16 or more.")
        if self.memory_budget is not None and self.memory_budget < 1:
            raise InvalidOptions("A memory budget must be positive.", "Give it in bytes.")

    @property
    def has_target(self) -> bool:
        """Whether a target size is asked for rather than a factor."""
        return any(side is not None for side in (self.width, self.height, self.long_side))

    def result_bits(self, output_format: Format, input_bits: Bits) -> Bits:
        """Bits per channel of the result. Raises `FormatCannotHold`."""
        if self.bits == 16 and output_format != "png":
            raise FormatCannotHold(
                "The result would have 16 bits per channel, and only PNG holds them.", "Choose PNG."
            )
        return self.bits or (input_bits if output_format == "png" else 8)

    @property
    def suffix(self) -> str:
        """What is added to a picture's name to name its result, such as `_4x_realesrgan-x4plus`."""
        target = self.long_side or self.width or self.height
        size = f"{target}px" if target else f"{self.scale or DEFAULT_SCALE}x"
        return f"_{size}_{self.model}"
