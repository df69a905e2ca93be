from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_server import serving
from omniglot_files import packed, small

from aiga import AigaError, InputError
from aiga_characters import download, omniglot
from aiga_characters.sets import Source

Served = tuple[str, Path, list[str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server's address, the folder that it serves with two archives in it, and the paths it was asked for."""
    omniglot.write(small(), tmp_path / "made")
    served = packed(tmp_path / "made")
    with serving(served) as (url, asked):
        yield url, served, asked


def hashes(folder: Path) -> tuple[str, str]:
    one, other = (hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in download.ARCHIVES)
    return one, other


def test_both_archives_are_downloaded_checked_and_read(server: Served, tmp_path: Path) -> None:
    url, served, asked = server
    said: list[str] = []
    source = Source("omniglot", str(tmp_path / "kept"), url=url, hashes=hashes(served))
    assert source.load(said.append).hash == small(28).hash
    assert [line.startswith("downloading http") for line in said] == [True, True]
    assert hashes(tmp_path / "kept") == hashes(served)
    assert len(asked) == 2


def test_what_is_there_is_not_downloaded_again(server: Served, tmp_path: Path) -> None:
    url, served, asked = server
    said: list[str] = []
    shutil.copytree(served, tmp_path / "kept")
    download.fetch(tmp_path / "kept", url, hashes(served), said.append)
    assert not asked
    assert not said


def test_what_is_there_and_damaged_is_downloaded_again(server: Served, tmp_path: Path) -> None:
    url, served, _ = server
    shutil.copytree(served, tmp_path / "kept")
    (tmp_path / "kept" / download.ARCHIVES[1]).write_bytes(b"cut short")
    download.fetch(tmp_path / "kept", f"{url}/", hashes(served))
    assert hashes(tmp_path / "kept") == hashes(served)


def test_an_archive_of_another_hash_is_refused_and_not_kept(server: Served, tmp_path: Path) -> None:
    url, served, _ = server
    wrong = (hashes(served)[0], "0" * 64)
    with pytest.raises(InputError) as caught:
        download.fetch(tmp_path / "kept", url, wrong)
    (only,) = caught.value.problems
    assert f"{url}/images_evaluation.zip: what came has not the SHA-256 {'0' * 64}" in only
    assert 'source = "folder"' in only
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["images_background.zip"]


def test_a_server_that_has_no_such_file_is_named(server: Served, tmp_path: Path) -> None:
    url, served, _ = server
    with pytest.raises(AigaError, match=r"nothing/images_background\.zip: could not be downloaded") as caught:
        download.fetch(tmp_path / "kept", f"{url}/nothing", hashes(served))
    assert 'source = "folder"' in str(caught.value)


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(AigaError, match="could not be downloaded"):
        download.fetch(tmp_path, "http://127.0.0.1:9", ("0" * 64, "0" * 64))


def test_a_folder_that_cannot_be_written_is_named(server: Served, tmp_path: Path) -> None:
    url, served, _ = server
    (tmp_path / "file").write_text("")
    with pytest.raises(AigaError, match="could not be downloaded to"):
        download.fetch(tmp_path / "file" / "below", url, hashes(served))


def test_the_hashes_are_64_digits_and_the_address_is_omniglots() -> None:
    assert all(len(bytes.fromhex(digest)) == 32 for digest in download.HASHES)
    assert download.URL.startswith("https://raw.githubusercontent.com/brendenlake/omniglot/")
