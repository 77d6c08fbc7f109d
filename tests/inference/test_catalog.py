import re
import subprocess
import sys

from inference import catalog
from inference.catalog import CATALOG, ReleaseFile


def test_lists_the_promised_models():
    assert [model.name for model in CATALOG] == [
        "realesrgan-x4plus",
        "realesrgan-x2plus",
        "realesrgan-x4plus-anime-6b",
        "realesr-general-x4v3",
        "realesr-general-wdn-x4v3",
        "realesr-animevideov3",
        "dat-light-x2",
        "dat-light-x3",
        "dat-light-x4",
    ]
    assert len({model.label for model in CATALOG}) == len(CATALOG)


def test_every_source_is_pinned():
    checksums = [c for model in CATALOG for source in model.sources for c in source.checksums]
    assert len(set(checksums)) == len(checksums) == 15
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in checksums)
    for model in CATALOG:
        assert isinstance(model.sources[0], ReleaseFile) == model.official
        assert not model.official or model.sources[0].url.startswith("https://")
        assert model.licence_url.startswith("https://")
        assert model.good_for.endswith(".")


def test_finds_by_name_and_by_what_files_are():
    model = CATALOG[2]
    assert catalog.find(model.name) is model
    assert catalog.find(model.name.upper()) is None
    for source in model.sources:
        assert catalog.published(source.checksums) == (model, source)
    assert catalog.published(("0" * 64,)) is None


def test_guesses_what_was_meant():
    assert catalog.closest("RealESRGAN_x4plus") == "realesrgan-x4plus"
    assert catalog.closest("realesrgan-anime") == "realesrgan-x4plus-anime-6b"
    assert catalog.closest("my-modell", ["my-model"]) == "my-model"
    assert catalog.closest("zzz") is None


def test_needs_no_torch():
    code = "import sys, inference.catalog, inference.errors, app.cli_models, inference.unpickling\n"
    code += "assert not {'torch', 'numpy', 'spandrel'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
