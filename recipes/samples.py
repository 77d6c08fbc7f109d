"""The landing page's samples: `python -m recipes.samples`, with the networks of `make weights`.

A photo that is in the tests and a drawing that is drawn here, each scaled down to 225 × 150 and
upscaled by this program's own command. What comes of it lies in `pages/static/pictures`, whose
README says where the pictures come from.
"""

import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "pages" / "static" / "pictures"
SMALL = (225, 150)
FINE = 8

INK, PAPER = "#25324a", "#f6ead2"


def rocket() -> Image.Image:
    with Image.open(ROOT / "tests" / "data" / "photos" / "rocket.jpg") as photo:
        width, height = photo.size
        return photo.convert("RGB").crop((0, 0, width, min(height, width * 2 // 3)))


def drawing() -> Image.Image:
    """A lighthouse by the sea in ink and flat colours, with the thin lines that suffer most."""
    width, height = (side * FINE for side in SMALL)
    image = Image.new("RGB", (width, height), "#27406b")
    pen = ImageDraw.Draw(image)
    dice = random.Random(48)
    for row in range(0, 100 * FINE, 2 * FINE):  # dusk
        share = row / (100 * FINE)
        colour = tuple(round(a + (b - a) * share) for a, b in ((39, 246), (64, 186), (107, 140)))
        pen.rectangle((0, row, width, row + 2 * FINE), fill=colour)
    for _ in range(60):
        x, y = dice.randrange(width), dice.randrange(48 * FINE)
        r = dice.choice((2, 3, 5))
        pen.ellipse((x - r, y - r, x + r, y + r), fill="#fff8e7")
    tower = 150 * FINE
    for side in (-1, 1):  # the light
        far = tower + side * 170 * FINE
        pen.polygon([(tower, 33 * FINE), (far, 8 * FINE), (far, 46 * FINE)], fill="#ffe9a8")
    pen.ellipse((24 * FINE, 20 * FINE, 46 * FINE, 42 * FINE), fill="#fff3cf", outline=INK, width=6)
    pen.rectangle((0, 100 * FINE, width, height), fill="#2c6e8f")
    for line in range(12):  # waves
        y = (103 + line * 4) * FINE
        points = [
            (x, y + math.sin(x / (26 + line * 3) + line * 2) * (5 + line))
            for x in range(0, width, 8)
        ]
        pen.line(points, fill="#bfe3e6" if line % 3 else "#1c4963", width=4 + line // 2)
    rock = [(104, 150), (112, 122), (126, 114), (138, 106), (166, 106), (180, 116), (196, 124)]
    rock = [(x * FINE, y * FINE) for x, y in [*rock, (210, 150)]]
    pen.polygon(rock, fill="#6b5a56", outline=INK, width=10)
    for _ in range(46):  # hatching
        x, y = dice.randrange(116, 196) * FINE, dice.randrange(122, 150) * FINE
        pen.line((x, y, x - 5 * FINE, y + 6 * FINE), fill=INK, width=5)

    def wide(y: int) -> float:
        return 8 + (y - 46) * 0.09

    for number, top in enumerate(range(46, 106, 12)):
        corners = ((-1, top), (1, top), (1, top + 12), (-1, top + 12))
        band = [((150 + side * wide(y)) * FINE, y * FINE) for side, y in corners]
        pen.polygon(band, fill=PAPER if number % 2 else "#c8452c", outline=INK, width=7)
    pen.rectangle((137 * FINE, 42 * FINE, 163 * FINE, 46 * FINE), fill=INK)
    pen.rectangle(
        (143 * FINE, 28 * FINE, 157 * FINE, 42 * FINE), fill="#fff3b0", outline=INK, width=7
    )
    for x in (146, 150, 154):
        pen.line((x * FINE, 28 * FINE, x * FINE, 42 * FINE), fill=INK, width=4)
    pen.polygon(
        [(141 * FINE, 28 * FINE), (150 * FINE, 18 * FINE), (159 * FINE, 28 * FINE)],
        fill="#c8452c",
        outline=INK,
        width=7,
    )
    for x in range(138, 163, 4):  # the railing
        pen.line((x * FINE, 38 * FINE, x * FINE, 42 * FINE), fill=INK, width=4)
    pen.line((137 * FINE, 38 * FINE, 163 * FINE, 38 * FINE), fill=INK, width=4)
    for y in (62, 86):
        pen.rectangle((148 * FINE, y * FINE, 152 * FINE, (y + 6) * FINE), fill=INK)
    hull = [(34, 112), (82, 112), (74, 124), (42, 124)]
    pen.polygon([(x * FINE, y * FINE) for x, y in hull], fill="#8b2f22", outline=INK, width=8)
    pen.line((58 * FINE, 112 * FINE, 58 * FINE, 70 * FINE), fill=INK, width=9)
    for side, colour in ((-1, PAPER), (1, "#e8d6b0")):
        sail = [(58 + side, 72), (58 + side * 20, 108), (58 + side, 108)]
        pen.polygon([(x * FINE, y * FINE) for x, y in sail], fill=colour, outline=INK, width=6)
    for y in range(78, 108, 6):
        pen.line((57 * FINE, y * FINE, (57 - (y - 72) * 0.5) * FINE, y * FINE), fill=INK, width=3)
    for x, y in ((92, 60), (104, 54), (80, 50)):  # gulls
        pen.arc((x * FINE, y * FINE, (x + 7) * FINE, (y + 6) * FINE), 200, 330, INK, 5)
        pen.arc(((x + 6) * FINE, y * FINE, (x + 13) * FINE, (y + 6) * FINE), 210, 340, INK, 5)
    return image


def make(name: str, picture: Image.Image, model: str) -> None:
    small = picture.resize(SMALL, Image.Resampling.LANCZOS)
    small.save(PICTURES / f"{name}-before.webp", lossless=True, method=6)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.png"), Path(folder, "after.png")
        small.save(before)
        command = [sys.executable, "-m", "app", "upscale", str(before), str(after)]
        command += ["--model", model, "--scale", "4", "--models", str(ROOT / ".cache" / "models")]
        subprocess.run(command, check=True, cwd=ROOT)
        with Image.open(after) as result:
            result.convert("RGB").save(PICTURES / f"{name}-after.webp", quality=90, method=6)


def main() -> None:
    make("rocket", rocket(), "realesrgan-x4plus")
    make("drawing", drawing(), "realesrgan-x4plus-anime-6b")


if __name__ == "__main__":
    main()
