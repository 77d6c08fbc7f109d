import io
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from inference.errors import InvalidWeights, UnsafeWeights
from inference.unpickling import read_checkpoint


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def saved(value, zipped=True):
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.fixture
def opened(tmp_path):
    def read(data, **limits):
        path = tmp_path / "file.pth"
        path.write_bytes(data)
        with path.open("rb") as file:
            return load(read_checkpoint(file, **limits))

    return read


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_tensors_in_their_dtypes_and_nothing_else(opened, zipped):
    tensors = {
        "half": torch.arange(6, dtype=torch.float16).view(2, 3),
        "brain": torch.ones(2, dtype=torch.bfloat16),
        "turned": torch.arange(6.0).view(2, 3).T,
        "index": torch.tensor(5),
    }
    checkpoint = {"params_ema": OrderedDict(tensors, note="text", nested=[1]), "params": {}, "n": 3}
    found = opened(saved(checkpoint, zipped))
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_shared_tensors_are_stored_each(opened):
    shared = torch.arange(4.0)
    found = opened(saved({"module.a": shared, "module.b": shared[1:3]}))
    assert torch.equal(found["a"], shared)
    assert torch.equal(found["b"], shared[1:3])


def hostile_files(canary):
    import os

    call = Calls(os.system, f"touch {canary}")
    yield "zip", saved({"params": call})
    yield "legacy", saved({"params": call}, zipped=False)
    yield "bare pickle", pickle.dumps(call)
    yield "eval", saved({"params": Calls(eval, f"open({str(canary)!r}, 'w')")})
    yield "getattr", saved({"params": Calls(getattr, "text", "upper")})


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        ("zip", "posix.system"),
        ("legacy", "posix.system"),
        ("bare pickle", "posix.system"),
        ("eval", "eval"),
        ("getattr", "getattr"),
    ],
)
def test_code_is_refused_by_name_and_never_runs(opened, tmp_path, kind, called):
    canary = tmp_path / "canary"
    data = dict(hostile_files(canary))[kind]
    with pytest.raises(UnsafeWeights, match=rf"The file calls \S*{called} when it is opened"):
        opened(data)
    assert not canary.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused_under_any_name(opened):
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), file)
    with pytest.raises(UnsafeWeights, match="TorchScript archive: it carries code"):
        opened(file.getvalue())


def test_code_inside_a_checkpoint_is_refused(opened):
    file = io.BytesIO(saved({"a": torch.ones(1)}))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/code/__torch__.py", "import os")
    with pytest.raises(UnsafeWeights, match="TorchScript"):
        opened(file.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"just a text\n",
        b"PK\x03\x04",
        pytest.param(lambda: saved({"a": torch.ones(99)})[:-200], id="cut"),
        pytest.param(lambda: saved([torch.ones(1)]), id="list"),
        pytest.param(lambda: saved({"epoch": 3}), id="no tensors"),
        pytest.param(lambda: pickle.dumps({"a": 1}), id="bare pickle"),
    ],
)
def test_whatever_is_no_checkpoint_is_called_so(opened, data):
    with pytest.raises(InvalidWeights, match=r"^The file "):
        opened(data if isinstance(data, bytes) else data())


def test_a_file_that_wants_too_much_memory_is_given_up(opened):
    bomb = saved({"a": torch.ones(1).expand(1 << 40)})
    with pytest.raises(InvalidWeights):
        opened(bomb)


def test_a_file_that_takes_too_long_is_given_up(opened):
    with pytest.raises(InvalidWeights, match=r"within 0\.2 seconds"):
        opened(saved({"a": torch.ones(1)}), seconds=0.2)


ESCAPES = {
    "socket": "import socket; socket.socket()",
    "file": "open('/etc/hostname')",
    "written file": "open({path!r}, 'w')",
    "process": "import subprocess, sys; subprocess.run([sys.executable, '-V'])",
    "memory": "bytearray(1 << 30)",
    "limits": "import resource; assert resource.getrlimit(resource.RLIMIT_CPU)[1] > 600",
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_code_that_ran_all_the_same_could_do_nothing(tmp_path, escape):
    """What a hole in the unpickler would find: the child after it has limited itself."""
    path = tmp_path / "canary"
    attempt = ESCAPES[escape].format(path=str(path))
    code = (
        "import sys, socket, subprocess, resource\n"
        "from inference import unpickling\n"
        "unpickling._leave_network()\n"
        "unpickling._limit(memory=100 << 20, seconds=5)\n"
        f"try:\n    {attempt}\n"
        "except (OSError, MemoryError, AssertionError) as error:\n"
        "    print(type(error).__name__)\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert ran.stdout.strip() in ("OSError", "MemoryError", "AssertionError", "BlockingIOError")
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_does_not_outlive_a_sigkilled_parent(tmp_path):
    """Stopped, so that it cannot end by itself meanwhile."""
    path = tmp_path / "file.pth"
    path.write_bytes(saved({"a": torch.ones(1)}))
    code = "import inference.unpickling as u, sys; u.read_checkpoint(open(sys.argv[1], 'rb'))"
    parent = subprocess.Popen([sys.executable, "-c", code, str(path)])
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")

    def running():
        for child in children.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if words[1:3] == ["-m", "inference.unpickling"]:
                return int(child)
        return None

    def alive():
        try:
            return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False

    deadline = time.monotonic() + 20
    while not (child := running()):
        assert time.monotonic() < deadline
    os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.wait()

    while alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    outlived = alive()
    if outlived:
        os.kill(child, signal.SIGKILL)
    assert not outlived
