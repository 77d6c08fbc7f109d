"""Tiles of a preview reach its owner, one by one."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from PIL import Image

from app import tiles
from db import files
from db.work import Cause, Role
from inference import pyramid as pyramids
from inference.pyramid import PyramidReader
from tests.app.own_files import Site, a_picture, file_of, open_site, pyramid


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with open_site(tmp_path, monkeypatch) as site:
        yield site


def preview(site: Site) -> str:
    return f"/files/{file_of(a_picture(site, site.ada), Role.PREVIEW).id}/tiles"


def test_a_preview_says_how_it_is_cut(site: Site) -> None:
    with site.client(site.ada) as client:
        answer = client.get(preview(site))

    assert answer.json() == {"width": 700, "height": 600, "tile_size": 512, "levels": 11}
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_tile_is_a_webp_picture_that_nobody_keeps(site: Site) -> None:
    address = preview(site)
    with site.client(site.ada) as client:
        answers = [client.get(f"{address}/10/1_1") for _ in range(2)]

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.content == PyramidReader(io.BytesIO(pyramid())).tile(10, 1, 1)
    with Image.open(io.BytesIO(answers[0].content)) as tile:
        assert tile.size == (700 - 512, 600 - 512)


@pytest.mark.parametrize(
    "place",
    [
        "10/2_0",
        "11/0_0",
        "10/0",
        "10/0_0_0",
        "10/x_0",
        "-1/0_0",
        "10/0_-1",
        "10/0_0.webp",
        "1e1/0_0",
        "%D9%A1%D9%A0/0_0",
        "10/" + "9" * 5000 + "_0",
        "info.json",
        "10/..%2f10_0",
    ],
)
def test_where_there_is_no_tile_there_is_nothing(site: Site, place: str) -> None:
    with site.client(site.ada) as client:
        assert client.get(f"{preview(site)}/{place}").status_code == 404


def test_others_find_nothing_even_after_the_owner_has_looked(site: Site) -> None:
    address = preview(site)
    with site.client(site.ada) as client, site.client(site.bob) as other:
        assert client.get(f"{address}/0/0_0").status_code == 200
        for at in (address, f"{address}/0/0_0"):
            answer = other.get(at)
            assert answer.status_code == 404
            assert answer.content == other.get(f"/files/{uuid4()}/tiles").content


@pytest.mark.parametrize("how", ["expired", "deleted"])
def test_what_is_gone_is_gone_whatever_is_remembered(site: Site, how: str) -> None:
    address = preview(site)
    with site.client(site.ada) as client:
        assert client.get(f"{address}/0/0_0").status_code == 200
        if how == "expired":
            site.machine.passes(hours=48)
        else:
            files.erase(site.service.store, [UUID(address.split("/")[2])], Cause.USER)
        assert client.get(address).status_code == 410
        assert client.get(f"{address}/0/0_0").status_code == 410


def test_only_previews_have_tiles(site: Site) -> None:
    job = a_picture(site, site.ada)
    with site.client(site.ada) as client:
        for role in (Role.ORIGINAL, Role.RESULT):
            address = f"/files/{file_of(job, role).id}/tiles/0/0_0"
            assert client.get(address).status_code == 404


def test_a_damaged_preview_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.app.own_files.pyramid", lambda: b"no pyramid")
    with site.client(site.ada) as client:
        answer = client.get(preview(site))

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "FILE_DAMAGED")


def test_where_tiles_lie_is_read_once_and_for_a_bounded_number_of_previews(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    read = pyramids._directory
    monkeypatch.setattr(pyramids, "_directory", lambda s: opened.append(1) or read(s))
    monkeypatch.setattr(tiles, "_REMEMBERED", 2)
    first, *others = [preview(site) for _ in range(3)]
    with site.client(site.ada) as client:
        for _ in range(3):
            client.get(f"{first}/0/0_0")
        assert len(opened) == 1
        for other in others:
            client.get(other)
        client.get(f"{first}/0/0_0")

    assert len(opened) == 4
