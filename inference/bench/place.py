"""Where and when figures were measured. Without that they say nothing."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inference.bench.setup import Result
from inference.threads import cores

_OURS = ("torch", "spandrel", "numpy", "pillow", "opencv-python-headless", "isal")
_PACKAGES = (*_OURS, "onnxruntime", "openvino")


def place(device: str = "cpu") -> Result:
    """Date, processor with the flags that decide, memory and versions.

    Fields: `date` (UTC, ISO 8601), `processor`, `flags` (a list), `cores`, `memory` (bytes, 0 where
    unknown), `device`, `system`, `versions`.
    """
    from inference.precision import cpu_flags

    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "flags": list(cpu_flags()),
        "cores": cores(),
        "memory": _memory(),
        "device": _name(device),
        "system": platform.platform(terse=True),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def sentence(where: Result) -> str:
    """The same for people, in one paragraph."""
    memory = f", {where['memory'] / 1e9:.0f} GB of memory" if where["memory"] else ""
    device = "" if where["device"] == "cpu" else f" Device: {where['device']}."
    return (
        f"{where['date']}, {where['cores']} cores of {where['processor']}{memory}, flags "
        f"`{flags(where)}`.{device} "
        + ", ".join(f"{name} {number}" for name, number in where["versions"].items())
        + "."
    )


def flags(where: Result) -> str:
    return " ".join(where["flags"]) or "unknown"


def _name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return torch.cuda.get_device_name(torch.device(device))


def _processor() -> str:
    return _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> int:
    return int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) * 1024


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # a peer that is not installed
    return found
