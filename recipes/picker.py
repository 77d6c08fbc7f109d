"""The samples of the page's picker: `python -m recipes.picker`, with what `make weights` fetches.

Each installed model gets a spot of what it is for, a photo or a drawing, always the same one, so
that models can be compared. Left half of its picture: the spot enlarged by bicubic interpolation;
right half: by the model, through the engine's whole way.
"""

import io

from PIL import Image

from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore
from recipes.samples import PICTURES, ROOT

DRAWINGS = ("realesrgan-x4plus-anime-6b", "realesr-animevideov3")
"""The models that are for drawings."""

# Left, top, right, bottom.
_EYE = (32, 24, 128, 72)
_LIGHTHOUSE = (102, 18, 198, 66)
_SCALE = 4


def sample(store: ModelStore, model: str, spot: Image.Image) -> Image.Image:
    """`spot`, four times larger: plainly on the left, by the model on the right."""
    source, sink = io.BytesIO(), io.BytesIO()
    spot.save(source, "PNG")
    Engine(store).upscale(source, sink, Options(model=model, scale=_SCALE, output_format="png"))
    with Image.open(sink) as opened:
        enlarged = opened.convert("RGB")
    plain = spot.resize(enlarged.size, Image.Resampling.BICUBIC)
    enlarged.paste(plain.crop((0, 0, plain.width // 2, plain.height)))
    return enlarged


def main() -> None:
    with Image.open(ROOT / "tests" / "data" / "photos" / "chelsea.png") as photo:
        eye = photo.convert("RGB").crop(_EYE)
    with Image.open(PICTURES / "drawing-before.webp") as drawing:
        lighthouse = drawing.convert("RGB").crop(_LIGHTHOUSE)
    store = ModelStore(ROOT / ".cache" / "models")
    for name in store.names():
        spot = lighthouse if name in DRAWINGS else eye
        sample(store, name, spot).save(PICTURES / "models" / f"{name}.webp", quality=86, method=6)


if __name__ == "__main__":
    main()
