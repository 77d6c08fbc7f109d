"""Sizes and regions in pixels, as values."""

from typing import NamedTuple


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __mul__(self, factor: object) -> "Size":
        if not isinstance(factor, int):
            return NotImplemented
        return Size(self.width * factor, self.height * factor)

    def __str__(self) -> str:
        return f"{self.width} × {self.height}"


class Region(NamedTuple):
    """A rectangle of whole pixels, the origin at the top left."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def relative_to(self, outer: "Region") -> "Region":
        """The same rectangle in the coordinates of `outer`."""
        return Region(self.x - outer.x, self.y - outer.y, self.width, self.height)

    def scaled(self, factor: int) -> "Region":
        return Region(*(value * factor for value in self))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices for an array of shape (height, width, …)."""
        return slice(self.y, self.bottom), slice(self.x, self.right)
