"""Opens a file of weights, whatever its format, and reads nothing but numbers from it.

Content decides where it can: a TorchScript archive is refused under any name. Knows nothing of
installed models.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from inference.errors import InvalidWeights, UnsafeWeights
from inference.ncnn import read_ncnn
from inference.unpickling import MAX_BYTES, read_checkpoint

CHECKPOINTS = (".pth", ".ckpt", ".pt")
_KNOWN = ".safetensors, .pth, .ckpt, or .param with .bin"
_AGAIN = "Get the file again from its source."

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Weights:
    """What a file holds."""

    state_dict: Mapping[str, Tensor]
    """In the dtypes of the file, every number finite."""
    checksums: tuple[str, ...]
    """SHA-256 of the file, or of the `.param` and the `.bin` file."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""


def read_weights(path: Path) -> Weights:
    """Open `.safetensors`, `.pth`, `.ckpt`, `.pt`, or `.param` and `.bin` by either of them.

    Raises `InvalidWeights` for what is damaged or no file of weights, `UnsafeWeights` for what
    carries code, and `UnsupportedModel` for an ncnn graph that is not known.
    """
    suffix = path.suffix.lower()
    if suffix in (".param", ".bin"):
        pair = path.with_suffix(".param"), path.with_suffix(".bin")
        for file in pair:
            if not file.exists() and path.exists():
                raise InvalidWeights(
                    f"{path.name} is half of a network: {file.name} is missing beside it.",
                    f"Put both files into one folder. Accepted are {_KNOWN}.",
                )
        return from_ncnn(_read(pair[0]), _read(pair[1]))
    if suffix in CHECKPOINTS:
        return from_checkpoint(path)
    if suffix != ".safetensors":
        _check(path)
        raise InvalidWeights(f"{path.name} is not a file of weights.", f"Accepted are {_KNOWN}.")
    data = _read(path)
    try:
        state_dict = load_safetensors(data)
    except (SafetensorError, KeyError) as error:
        raise InvalidWeights(f"{path.name} is damaged or no safetensors file.", _AGAIN) from error
    return _checked(state_dict, (hashlib.sha256(data).hexdigest(),))


def from_checkpoint(path: Path) -> Weights:
    """Open a PyTorch checkpoint, in a process of its own."""
    _check(path)
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            data = read_checkpoint(file)
        except (InvalidWeights, UnsafeWeights) as error:
            raise type(error)(f"{path.name}: {error.message}", error.hint) from error
    return _checked(load_safetensors(data), (checksum,))


def from_ncnn(param: bytes, bin: bytes) -> Weights:
    """Take over a network in ncnn's format, see `inference.ncnn`."""
    network = read_ncnn(param, bin)
    # Copied: the arrays look into the file's bytes, which may not be written to.
    state_dict = {name: torch.from_numpy(a.copy()) for name, a in network.state_dict.items()}
    checksums = hashlib.sha256(param).hexdigest(), hashlib.sha256(bin).hexdigest()
    return _checked(state_dict, checksums, network.notes)


def weights_sha256(state_dict: Mapping[str, Tensor]) -> str:
    """A checksum of the numbers, whatever file they came in.

    SHA-256 over all tensors in the order of their names (by code point). Each contributes a line
    `["NAME","DTYPE",[SHAPE]]` and a line feed, as JSON without spaces in ASCII, with safetensors'
    names of the dtypes, and then its values row by row in little-endian byte order.
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        head = [name, _DTYPES.get(tensor.dtype, "?"), list(tensor.shape)]
        digest.update(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _checked(
    state_dict: Mapping[str, Tensor], checksums: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Weights:
    if not state_dict:
        raise InvalidWeights("The file holds no weights.", _AGAIN)
    for name, tensor in state_dict.items():
        if tensor.dtype not in _DTYPES:
            raise InvalidWeights(
                f"The numbers of {name[:80]!r} have the type {tensor.dtype}.",
                "Get the network in fp32, fp16 or bf16.",
            )
        if not torch.isfinite(tensor).all():
            raise InvalidWeights(f"{name[:80]!r} contains values that are not finite.", _AGAIN)
    return Weights(dict(state_dict), checksums, notes)


def _check(path: Path) -> None:
    if path.is_dir():
        raise InvalidWeights(f"{path} is a folder.", f"Accepted are {_KNOWN}.")
    if not path.exists():
        raise InvalidWeights(f"{path} does not exist.")
    if not path.is_file():
        raise InvalidWeights(f"{path} is not a regular file.")
    if not os.access(path, os.R_OK):
        raise InvalidWeights(f"{path} may not be read.", "Change its permissions.")
    if path.stat().st_size > MAX_BYTES:
        raise InvalidWeights(f"{path.name} is larger than {MAX_BYTES >> 30} GiB.")


def _read(path: Path) -> bytes:
    _check(path)
    return path.read_bytes()
