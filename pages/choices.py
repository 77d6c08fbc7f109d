"""What can be chosen for a picture on the page: as the browser sends it, and as it is remembered.

Every choice is optional: left out, the engine's default holds. Knows which values there are;
whether they go together is the engine's to say.
"""

import json
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from db import preferences
from inference.installed import NAME
from inference.options import Format, MetadataChoice, Options, Precision
from tasks.service import Service

LONGEST_TARGET = 65_535
"""Pixels: what can be typed. Whether so many are made is for the limits to say."""

Side = Annotated[int, Field(ge=1, le=LONGEST_TARGET)]


class Choices(BaseModel):
    """An order without its pictures, or some choices of one."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")] | None = None
    scale: Literal[2, 3, 4, 8, 16] | None = None
    width: Side | None = None
    height: Side | None = None
    long_side: Side | None = None
    output_format: Format | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    lossless: bool | None = None
    bits: Literal[16] | None = None
    metadata: MetadataChoice | None = None
    mark: bool | None = None
    suffix: bool | None = None
    denoise: Annotated[float, Field(ge=0, le=1)] | None = None
    precision: Precision | None = None
    notify: bool | None = None
    """Of the page alone: to be told when all is done."""

    def options(self) -> Options:
        """The engine's options. Raises `InvalidOptions` where choices contradict each other."""
        return Options(**self.model_dump(exclude_none=True, exclude={"suffix", "notify"}))

    @classmethod
    def remembered(cls, service: Service, user_id: UUID) -> Self:
        """What this user chose before. What no longer makes sense is left out: a value of another
        version, a model that is gone."""
        kept: dict[str, Any] = {}
        for key, text in preferences.load(service.store, user_id).items():
            try:
                value = json.loads(text)
                cls.model_validate({key: value})
            except (ValueError, ValidationError):
                continue
            kept[key] = value
        installed = service.folders.models / f"{kept.get('model')}.safetensors"
        if "model" in kept and not installed.is_file():
            del kept["model"]
        return cls.model_validate(kept)

    def remember(self, service: Service, user_id: UUID) -> None:
        """Keep those choices that are here, and forget those that are here as None."""
        changes = {
            key: None if value is None else json.dumps(value)
            for key, value in self.model_dump(exclude_unset=True).items()
        }
        preferences.save(service.store, user_id, changes)
