"""Opens PyTorch checkpoints where they can do no harm.

A checkpoint is a pickle, and a pickle is a program. It is opened by spandrel's unpickler, which
knows tensors and nothing else, and that in a child process without network, files, memory or time
to spare, for the day when the unpickler or torch's reader has a hole. The child hands back
safetensors, which are data. Knows nothing of architectures.

The parent's half of this module imports no torch. The child is `python -m inference.unpickling`.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, NoReturn

from inference.errors import EngineError, InvalidWeights, UnsafeWeights
from inference.tether import tethered

MAX_BYTES = 2 << 30
"""The largest file that is opened, and the largest result."""

_MEMORY = 4 << 30
_SECONDS = 120
_REFUSED = 3  # the child's exit status when the result is the reason why there is none

_AGAIN = "Get the file again from its source, as .safetensors where that is offered."


def read_checkpoint(file: IO[bytes], *, seconds: float = _SECONDS, memory: int = _MEMORY) -> bytes:
    """The tensors of a `.pth`, `.ckpt` or `.pt` file, in safetensors format.

    Known wrappers (`params_ema`, `state_dict`, …) are taken off; entries that are no tensors are
    dropped. `file` is an open file of the operating system, `memory` what may be used beyond what
    the libraries take. Raises `UnsafeWeights` for whatever carries code, `InvalidWeights` for
    whatever else is no checkpoint.
    """
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        raise InvalidWeights(f"The file is larger than {MAX_BYTES >> 30} GiB.")
    with tempfile.TemporaryFile() as result:
        command = [sys.executable, "-m", "inference.unpickling"]
        command += [str(file.fileno()), str(result.fileno()), str(memory), str(int(seconds) + 1)]
        # The parent's environment holds what a stranger's file must not read.
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        try:
            child = subprocess.run(
                tethered(command),
                env=environment,
                pass_fds=(file.fileno(), result.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidWeights(
                f"The file could not be opened within {seconds:g} seconds.", _AGAIN
            ) from error
        result.seek(0)
        if child.returncode == _REFUSED:
            raise _reported(result.read(4096))
        if child.returncode != 0:
            raise InvalidWeights(
                "Opening the file took more memory or time than any model needs, or crashed.",
                _AGAIN,
            )
        return result.read()


def _reported(answer: bytes) -> EngineError:
    try:
        code, message = map(str, json.loads(answer))
    except ValueError:
        return InvalidWeights("The file could not be opened.", _AGAIN)
    # Names out of the file must not steer a terminal.
    message = "".join(c for c in message[:300] if c.isprintable())
    return (UnsafeWeights if code == UnsafeWeights.code else InvalidWeights)(message, _AGAIN)


# From here on: the child.


def _main() -> None:
    source, sink, memory, seconds = map(int, sys.argv[1:])
    _leave_network()
    # Not earlier: libraries start threads, and a process with threads cannot leave.
    import torch

    torch.set_num_threads(1)
    with os.fdopen(source, "rb") as file, os.fdopen(sink, "wb") as result:
        _warm_up(torch)
        _limit(memory, seconds)
        try:
            data = _convert(torch, file)
        except EngineError as error:
            _refuse(result, error)
        except MemoryError:
            os._exit(1)
        except Exception as error:  # whatever a broken file makes torch and pickle raise
            _refuse(result, _verdict(error))
        result.write(data)


def _refuse(result: IO[bytes], error: EngineError) -> NoReturn:
    result.write(json.dumps([error.code, error.message]).encode())
    result.flush()
    os._exit(_REFUSED)


def _verdict(error: Exception) -> EngineError:
    said = str(error)
    if "is forbidden" in said and said.startswith("Global "):
        name = said.split("'")[1] if "'" in said else "?"
        return UnsafeWeights(
            f"The file calls {name} when it is opened, which weights have no use for."
        )
    return InvalidWeights("The file is not a PyTorch checkpoint, or is damaged.")


def _convert(torch: Any, file: IO[bytes]) -> bytes:
    from safetensors.torch import save

    canonicalize_state_dict = _spandrel("canonicalize").canonicalize_state_dict
    loaded = _load(torch, file)
    if not isinstance(loaded, dict):
        raise InvalidWeights("The file holds no table of weights.")
    tensors = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in canonicalize_state_dict(loaded).items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise InvalidWeights("The file holds no weights.")
    data: bytes = save(tensors)
    return data


def _load(torch: Any, file: IO[bytes]) -> Any:
    if file.read(4) == b"PK\x03\x04":
        file.seek(0)
        # torch's own reader, which decides below: another one may see another list of names.
        records = torch._C.PyTorchFileReader(file).get_all_records()
        if any(name == "constants.pkl" or name.startswith("code/") for name in records):
            raise UnsafeWeights("The file is a TorchScript archive: it carries code, not weights.")
    file.seek(0)
    unpickle = _spandrel("unpickler").RestrictedUnpickle
    return torch.load(file, map_location="cpu", pickle_module=unpickle, weights_only=False)


def _spandrel(helper: str) -> Any:
    from inference import spandrel_import

    return importlib.import_module(f"{spandrel_import.spandrel.__name__}.__helpers.{helper}")


def _warm_up(torch: Any) -> None:
    """Open what small checkpoints open: once limited, no further library can be loaded."""
    import contextlib
    import io
    import pickle

    for zipped in (True, False):
        sample = io.BytesIO()
        tensors = {"a": torch.zeros(1), "b": torch.zeros(1, dtype=torch.bfloat16)}
        torch.save({"params": tensors}, sample, _use_new_zipfile_serialization=zipped)
        sample.seek(0)
        _convert(torch, sample)
    with contextlib.suppress(pickle.UnpicklingError):
        _load(torch, io.BytesIO(pickle.dumps(print)))


def _limit(memory: int, seconds: int) -> None:
    """From here on no file, socket, process or core dump, and no more memory and time than this.

    macOS does not limit address space; there the time is what ends a file that wants too much.
    """
    import resource

    limits = {
        resource.RLIMIT_CPU: int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + seconds,
        resource.RLIMIT_FSIZE: MAX_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    statm = Path("/proc/self/statm")
    if statm.exists():
        pages = int(statm.read_text().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory
    limits[resource.RLIMIT_NOFILE] = 0
    for limit, value in limits.items():
        most = resource.getrlimit(limit)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (value, value))


def _leave_network() -> None:
    """Move to a network of our own, without connections, where the system lets us.

    Where it does not, the limit on open files is what keeps sockets away.
    """
    import ctypes

    new_user, new_network = 0x10000000, 0x40000000
    libc = ctypes.CDLL(None)
    if hasattr(libc, "unshare") and libc.unshare(new_network) != 0:
        libc.unshare(new_user | new_network)


if __name__ == "__main__":
    _main()
