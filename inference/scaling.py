"""How a size is reached: passes of the network, then a filter. Pure arithmetic."""

from dataclasses import dataclass

from inference.errors import InvalidOptions
from inference.geometry import Size
from inference.options import DEFAULT_SCALE, Options


@dataclass(frozen=True)
class Scaling:
    """The way from one size to another."""

    source: Size
    network_scale: int
    """Output size over input size of one pass."""

    passes: int
    """How often the network runs over the whole picture; each pass enlarges the last one's
    result, which is kept without loss in between."""

    output: Size

    @property
    def network(self) -> Size:
        """The size that the network delivers."""
        return self.source * int(self.network_scale**self.passes)

    @property
    def taken_in(self) -> int:
        """Pixels that go into the network, in all passes: what the time is in proportion to."""
        return sum(
            self.source.pixels * int(self.network_scale ** (2 * number))
            for number in range(self.passes)
        )

    @property
    def is_filtered(self) -> bool:
        """Whether a resize filter follows the network."""
        return self.network != self.output

    def __str__(self) -> str:
        times = "" if self.passes == 1 else f" in {self.passes} passes"
        by_network = f"{self.network_scale}x by the network{times} to {self.network}"
        return f"{by_network}, then Lanczos to {self.output}" if self.is_filtered else by_network


def plan_scaling(source: Size, network_scale: int, options: Options) -> Scaling:
    """Reach what `options` ask for with as few passes as suffice, then reduce by a filter.

    The network always runs at least once. Raises `InvalidOptions` for a network that does not
    enlarge when the result should be larger than the source.
    """
    output = target_size(source, options)
    passes = 1
    if network_scale == 1:
        if output.width > source.width or output.height > source.height:
            raise InvalidOptions(
                f"{options.model} keeps a picture's size and can't enlarge it to {output}.",
                "Choose a model with a scale of 2 or more.",
            )
    else:
        while any(
            network_scale**passes * side < wanted
            for side, wanted in zip(source, output, strict=True)
        ):
            passes += 1
    return Scaling(source, network_scale, passes, output)


def target_size(source: Size, options: Options) -> Size:
    """The size of the result in pixels, both sides at least 1."""
    if not options.has_target:
        return source * (options.scale or DEFAULT_SCALE)
    if options.long_side is not None:
        factor = options.long_side / max(source)
    else:
        factor = min(
            target / side
            for target, side in zip((options.width, options.height), source, strict=True)
            if target is not None
        )
    return Size(max(1, round(source.width * factor)), max(1, round(source.height * factor)))
