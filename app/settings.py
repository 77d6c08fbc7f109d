"""Settings from the environment, typed and checked once. Imports nothing of ours."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=None, frozen=True)

    data_dir: Path = Path("data")
    """Folder of everything that is kept; models lie in its `models/`."""

    max_input_megapixels: float = Field(default=25, gt=0)
    """Most that a picture handed in may have."""

    max_output_megapixels: float = Field(default=400, gt=0)
    """Most that a result may have."""

    max_files_per_batch: int = Field(default=20, gt=0)
    """Most pictures that may be handed in together."""

    max_file_megabytes: float = Field(default=25, gt=0)
    """Most that a picture handed in may weigh."""

    max_open_jobs: int = Field(default=200, gt=0)
    """Most unfinished pictures that one user may have."""

    device: str = "auto"
    """What the worker runs networks on: `auto`, `cpu`, `cuda`, `cuda:1`, …"""

    warm_models_megabytes: float = Field(default=1024, gt=0)
    """Weights that a worker keeps loaded."""

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"


class InvalidSettings(Exception):
    """A setting has a value that cannot be used; the message names it."""


def load_settings() -> Settings:
    """Read the environment. Raises `InvalidSettings`."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise InvalidSettings(f"The setting {name} is not usable: {first['msg']}.") from error
