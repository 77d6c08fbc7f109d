"""What each installed model makes of one small spot of a photo: the samples of the page's picker.

    python -m inference.bench.samples PHOTO FOLDER --models .cache/models

Left half of each file: the spot enlarged by bicubic interpolation; right half: by the model,
through the engine's whole way. All models get the same spot, so that they can be compared.
"""

import argparse
import io
from pathlib import Path

from PIL import Image

from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore

_SPOT = (32, 24, 128, 72)
"""Left, top, right, bottom."""
_SCALE = 4
_QUALITY = 86


def main() -> None:
    """Make the samples of all models that are installed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    spot = _spot(arguments.photo)
    store = ModelStore(arguments.models)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in store.names():
        sample(store, name, spot).save(
            arguments.folder / f"{name}.webp", quality=_QUALITY, method=6
        )


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


def _spot(photo: Path) -> Image.Image:
    with Image.open(photo) as opened:
        return opened.convert("RGB").crop(_SPOT)


if __name__ == "__main__":
    main()
