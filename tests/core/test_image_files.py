"""Published image files: read as they are meant, and refused with one clear message where they are not whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from image_sets import TEST, TRAINING, idx, packed, records, small_cifar, small_mnist

from aiga import InputError
from aiga.image_files import ARCHIVE, cifar10, mnist

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
KEY = "[plugins.it.options] folder"


def refused(read: Callable[[Path, str], object], folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, KEY)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files_are_read_plain_or_by_gzip(tmp_path: Path, zipped: bool) -> None:
    images, labels, training = mnist(small_mnist(tmp_path, zipped), KEY)
    assert images.shape == (TRAINING + TEST, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert training == TRAINING
    assert torch.equal(images[:, 0, 0, 0].long(), labels)
    assert torch.equal(labels[TRAINING:], torch.arange(TEST) % 10)


def test_records_are_read_from_their_folder_the_one_above_it_and_their_archive(tmp_path: Path) -> None:
    whole = cifar10(small_cifar(tmp_path / "up" / "cifar-10-batches-bin"), KEY)
    assert whole.images.shape == (180, 3, 32, 32)
    assert whole.training == 150
    blue = records(30, 2)[7, 1 + 2 * 1024 :].reshape(32, 32)
    assert torch.equal(whole.images[67, 2], torch.from_numpy(blue))
    packed(tmp_path / "up" / "cifar-10-batches-bin", tmp_path / "archive")
    for folder in (tmp_path / "up", tmp_path / "archive", tmp_path / "up" / "cifar-10-batches-bin"):
        assert all(torch.equal(one, other) for one, other in zip(cifar10(folder, KEY)[:2], whole[:2], strict=True))


def _shorter(data: bytes) -> bytes:
    return data[:-1]


def _longer(data: bytes) -> bytes:
    return data + b"\0"


@pytest.mark.parametrize("spoil", [_shorter, _longer])
def test_an_idx_file_that_is_not_as_long_as_it_says_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = small_mnist(tmp_path) / IMAGES
    path.write_bytes(gzip.compress(spoil(gzip.decompress(path.read_bytes()))))
    said = refused(mnist, tmp_path)
    assert f"{path}: says that it holds 120 x 28 x 28 bytes, and has {94080 + (1 if spoil is _longer else -1):,}" in said
    assert "Download it anew" in said


@pytest.mark.parametrize("size", [0, 3, 10])
def test_an_idx_file_without_its_head_is_refused(tmp_path: Path, size: int) -> None:
    path = small_mnist(tmp_path, zipped=False) / IMAGES.removesuffix(".gz")
    path.write_bytes(path.read_bytes()[:size])
    assert str(path) in refused(mnist, tmp_path)


def test_a_gzip_file_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / LABELS
    data = path.read_bytes()
    for spoilt in (data[:-9], data[:20] + bytes([data[20] ^ 255]) + data[21:]):
        path.write_bytes(spoilt)
        said = refused(mnist, tmp_path)
        assert f"{path}: " in said
        assert "Download it anew" in said


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / IMAGES
    path.write_bytes(gzip.compress(idx(np.zeros(5, np.uint8))))
    assert "begins with 00000801, not with 00000803, as idx files of 3 axes do" in refused(mnist, tmp_path)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    (small_mnist(tmp_path) / IMAGES).write_bytes(idx(np.zeros((TRAINING, 20, 28), np.uint8)))
    assert "holds images of 20 x 28, not of 28 x 28" in refused(mnist, tmp_path)


def test_as_many_labels_as_images_are_wanted(tmp_path: Path) -> None:
    (small_mnist(tmp_path) / LABELS).write_bytes(idx(np.zeros(TRAINING - 1, np.uint8)))
    assert "120 images, and 119 labels in" in refused(mnist, tmp_path)


def test_a_label_that_is_none_is_refused(tmp_path: Path) -> None:
    labels = np.zeros(TRAINING, np.uint8)
    labels[7] = 31
    (small_mnist(tmp_path) / LABELS).write_bytes(idx(labels))
    assert "gives image 7 the class 31, where there are 0 to 9" in refused(mnist, tmp_path)


def test_what_is_missing_is_named_with_what_is_there(tmp_path: Path) -> None:
    (small_mnist(tmp_path) / LABELS).rename(tmp_path / "labels")
    assert f"{KEY} = {str(tmp_path)!r} lacks {LABELS}; it has labels, t10k" in refused(mnist, tmp_path)
    assert "is no folder" in refused(mnist, tmp_path / "no")


def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    archive = packed(small_cifar(tmp_path / "made"), tmp_path)
    archive.write_bytes(archive.read_bytes()[:-5000])
    said = refused(cifar10, tmp_path)
    assert f"{archive}: cannot be unpacked" in said
    assert "Download it anew" in said


def test_no_damaged_byte_of_an_archive_changes_a_picture(tmp_path: Path) -> None:
    archive = packed(small_cifar(tmp_path / "made", 3), tmp_path)
    data, whole, refusals = archive.read_bytes(), cifar10(tmp_path, KEY), 0
    places = sorted({*range(12), *range(0, len(data), 499), *range(len(data) - 8, len(data))})
    for place in places:
        archive.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        try:  # gzip's head has a time and a name, and what is compressed a bit here and there, that mean nothing
            assert all(torch.equal(one, other) for one, other in zip(cifar10(tmp_path, KEY)[:2], whole[:2], strict=True))
        except InputError as error:
            (said,) = error.problems
            assert said.startswith(f"{archive}: cannot be unpacked: ")
            assert said.endswith("It is cut off or damaged. Download it anew.")
            refusals += 1
    assert refusals > 0.9 * len(places)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"not an archive")
    assert "cannot be unpacked" in refused(cifar10, tmp_path)


def test_records_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    path = small_cifar(tmp_path) / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:5000])
    assert "data_batch_2.bin has 5,000 bytes, which is no whole number of images" in refused(cifar10, tmp_path)
