"""The mark as icons of every size that is asked for: `python -m recipes.icons`.

The mark is a small square that grows inside a larger one: `pages/static/mark.svg`, drawn here with
the same numbers.
"""

from pathlib import Path

from PIL import Image, ImageDraw

ICONS = Path(__file__).parent.parent / "pages" / "static" / "icons"
GROUND, EDGE, GRAIN = "#1f1f1e", "#a3a3a0", "#ff7a45"
SIDE = 26  # of the SVG
FINE = 8  # drawn this much larger, and scaled down


def mark(size: int, margin: float = 0) -> Image.Image:
    """The mark on nothing; with a margin, a share of the side, on a ground that fills the icon, as
    systems cut such an icon to a shape of their own."""
    large = size * FINE
    filled = margin > 0
    image = Image.new("RGBA", (large, large), GROUND if filled else (0, 0, 0, 0))
    unit = large * (1 - 2 * margin) / SIDE
    pen = ImageDraw.Draw(image)

    def square(at: tuple[float, float], side: float, radius: float, **paint: object) -> None:
        left, top = (large * margin + unit * each for each in at)
        box = (left, top, left + unit * side, top + unit * side)
        pen.rounded_rectangle(box, unit * radius, **paint)

    # The edge lies half on each side of the square's own, as in an SVG.
    line = max(round(unit), 1)
    square((0.5, 0.5), 25, 6.5, fill=GROUND, outline=EDGE, width=line)
    square((5.5, 11.5), 9, 2.2, fill=GRAIN)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def main() -> None:
    ICONS.mkdir(exist_ok=True)
    for name, image in {
        "192": mark(192),
        "512": mark(512),
        # What lies beyond 40 % of the side from the middle may be cut off.
        "maskable-512": mark(512, 0.2),
        "apple-touch-icon": mark(180, 0.12),
    }.items():
        image.quantize(64).save(ICONS / f"{name}.png", optimize=True)
    sizes = (16, 32, 48)
    largest, *others = (mark(size) for size in reversed(sizes))
    largest.save(
        ICONS / "favicon.ico", sizes=[(size, size) for size in sizes], append_images=others
    )


if __name__ == "__main__":
    main()
