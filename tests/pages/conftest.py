"""The running API, once for all tests of this room."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.server import Serving, serving


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        # A service sends this process's temporary files into its data folder.
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("TMPDIR", tempfile.gettempdir())
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "data" / "inbox"))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("HF_HUB_OFFLINE", "1")
        # After every call, Gradio would sum up all calls with pandas.
        patch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
        with serving(
            folder,
            models_path,
            max_files_per_batch=4,
            max_output_megapixels=1,
            max_file_megabytes=1,
        ) as api:
            yield api
