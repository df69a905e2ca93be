"""The plugin ``digits``: options, downloads, pictures, its report, and POET that invents tasks."""

from __future__ import annotations

import builtins
import hashlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from image_sets import packed, small_cifar, small_mnist
from local_server import serving
from PIL import Image
from pydantic import ValidationError

import aiga
from aiga import Batch, Contestant, InputError, Kind, Network, Pairs, Population, Stream, Subject
from aiga.image_files import ARCHIVE, IDX
from aiga.tiles import RIGHT, WRONG
from aiga_digits import Digits, sources
from aiga_digits.domain import DigitsDomain
from aiga_digits.render import render
from aiga_digits.sources import PUBLISHED, Source
from aiga_networks.mlp import MlpNetwork, MlpOptions

pytest.importorskip("sklearn")


def registered(**options: Any) -> DigitsDomain:
    found: dict[str, DigitsDomain] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    Digits(Digits.Options(**options)).aiga_register(registry)
    return found["digits"]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_domain_is_of_scikit_learns_digits_by_default() -> None:
    domain = registered()
    assert (domain.inputs.shape, domain.outputs.shape, domain.steps, domain.solved) == ((1, 8, 8), (10,), 500, 95.0)
    assert "digits" in domain.path(MlpNetwork(MlpOptions()))


def test_the_options_reach_the_domain(tmp_path: Path) -> None:
    domain = registered(source="mnist", folder=str(small_mnist(tmp_path)), categories=["noise"], batch=7, asked=9, learnt=5)
    assert (domain.categories, domain.batch, domain.asked, domain.learnt) == (("noise",), 7, 9, 5)
    assert domain.inputs.shape == (1, 28, 28)
    domain.check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "letters"}, "source"),
        ({"source": "mnist"}, "Add folder"),
        ({"download": True}, "needs no download"),
        ({"folder": "somewhere"}, "needs no folder"),
        ({"source": "mnist", "download": True, "hashes": {"train": "0" * 64}}, "no file of"),
        ({"source": "mnist", "download": True, "hashes": {f"{IDX[0]}.gz": "0"}}, "no SHA-256"),
        ({"categories": []}, "categories"),
        ({"categories": ["noise", "noise"]}, "Name each once"),
        ({"batch": 0}, "batch"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Digits.Options(**options)


@pytest.mark.parametrize("name", ["mnist", "cifar-10"])
def test_a_set_is_downloaded_once_checked_and_kept(name: Any, tmp_path: Path) -> None:
    if name == "mnist":
        served = small_mnist(tmp_path / "served")
    else:
        served = packed(small_cifar(tmp_path / "made"), tmp_path / "served").parent
    said: list[str] = []
    with serving(served) as (url, asked):
        for _ in range(2):
            domain = registered(source=name, folder=str(tmp_path / "kept"), download=True, url=url, hashes=hashes(served))
            domain.check()
            domain.prepare(said.append)
            sources._held.cache_clear()
    assert len(asked) == len(hashes(served)) == len(said)
    assert all(line.startswith(f"downloading {url}/") for line in said)
    assert hashes(tmp_path / "kept") == hashes(served)


def test_a_download_of_another_hash_is_refused_with_the_remedy(tmp_path: Path) -> None:
    served = small_mnist(tmp_path / "served")
    wrong = {**hashes(served), f"{IDX[2]}.gz": "0" * 64}
    with serving(served) as (url, _):
        source = Source("mnist", str(tmp_path / "kept"), True, url, tuple(wrong.items()))
        with pytest.raises(InputError) as caught:
            source.load()
    assert f"{url}/{IDX[2]}.gz: what came has not the SHA-256 {'0' * 64}" in str(caught.value)
    assert "[plugins.digits.options] hashes" in str(caught.value)
    assert 'write folder = "..."' in str(caught.value)
    assert not (tmp_path / "kept" / f"{IDX[2]}.gz").exists()


def test_a_download_that_is_blocked_says_what_to_do_by_hand(tmp_path: Path) -> None:
    source = Source("cifar-10", str(tmp_path), True, "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"could not be downloaded to .*Or put cifar-10-binary\.tar\.gz into a folder"):
        source.load()


@pytest.mark.parametrize("url", ["example.org/mnist", "ftp://example.org", "file:///tmp", "http://", "http://[a"])
def test_an_address_that_is_none_is_refused_before_anything_is_downloaded(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no address of a folder on a server\. Write one such as https://"):
        Digits.Options(source="mnist", download=True, url=url)


def test_the_published_hashes_are_sha256_of_the_four_files_or_the_archive() -> None:
    for name, published in PUBLISHED.items():
        assert published.files.keys() == ({ARCHIVE} if name == "cifar-10" else {f"{each}.gz" for each in IDX})
        assert all(len(bytes.fromhex(digest)) == 32 for digest in published.files.values())
        assert published.url.startswith("https://")


def test_a_set_without_some_class_is_refused(tmp_path: Path) -> None:
    small_cifar(tmp_path, 15)  # seven validation images
    with pytest.raises(InputError, match="no image of class 5 among the 7 of the part validation"):
        Source("cifar-10", str(tmp_path)).check()


def test_damaged_files_are_told_before_a_training(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / f"{IDX[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    tables: dict[str, Any] = {
        "api": 1,
        "population": {"domain": "digits", "networks": ["mlp"]},
        "train": {"trainer": "meta-gradient"},
        "plugins": {"digits": {"options": {"source": "mnist", "folder": str(tmp_path)}}},
    }
    with pytest.raises(InputError, match=r"cannot be unpacked.*Download it anew"):
        aiga.train(tables, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_without_scikit_learn_its_digits_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    sources._held.cache_clear()
    with pytest.raises(InputError, match=r"Install aiga\[images\]"):
        DigitsDomain().check()


def contestant(network: Network, domain: DigitsDomain, scale: float = 1.0, count: int = 3) -> Contestant:
    leaves = network.init(Stream(4), network.build(network.structure, domain.inputs, domain.outputs), count)
    return Contestant(network, Batch.of(Kind("n", dict(network.structure)), {n: leaf * scale for n, leaf in leaves.items()}))


def test_the_report_compares_test_images_named_and_shows_what_was_taken_for_what() -> None:
    domain, network = DigitsDomain(), MlpNetwork(MlpOptions(hidden=(), output="identity", init_scale=1.0))
    report = domain.report({"random": contestant(network, domain), "void": contestant(network, domain, torch.nan)}, Stream(0))
    assert report.columns == ("test %", "validation %", "parameters")
    assert all(2.0 < value < 30.0 for column in ("test %", "validation %") for value in report.rows["random"][column])
    assert report.rows["random"]["test %"] != report.rows["random"]["validation %"]
    assert report.rows["random"]["parameters"] == (650.0,)
    assert all(value != value for value in report.rows["void"]["test %"])
    assert "500 test images" in report.notes[0]
    assert "chance: 10 %; by the nearest of 1,000 images to learn from: 98.4 % of 500" in report.notes[1]
    for name in ("confusion", "confused"):
        assert Image.open(io.BytesIO(report.pictures[name])).size[0] > 100


def test_the_reports_percentages_are_of_the_test_images_themselves() -> None:
    domain, network = DigitsDomain(), MlpNetwork(MlpOptions(hidden=(), output="identity"))
    one = contestant(network, domain, count=1)
    report = domain.report({"one": one}, Stream(0))
    collection = Source().load()
    test = collection.splits["test"]
    mean, deviation = collection.scale
    x = ((collection.images[test].float() - mean) / deviation).flatten(1)
    logits = x @ one.agents.leaves["000.identity.weight"][0] + one.agents.leaves["000.identity.bias"][0]
    right = 100.0 * (logits.argmax(dim=1) == collection.labels[test]).double().mean()
    assert report.rows["one"]["test %"] == pytest.approx((float(right),))


def test_tasks_are_drawn_as_pages_a_column_a_class_with_wrong_labels_framed() -> None:
    domain = DigitsDomain()
    envs = domain.named("all", 2)
    envs.leaves["noise"][1] = 0.4
    envs.leaves["classes"][1] = 0b111
    plain, noisy = render(Subject(what="environments", envs=Population((envs,))), domain)
    assert plain.shape[1] == 10 * 36
    assert noisy.shape[1] == 3 * 36
    assert not (plain == np.array(WRONG, np.uint8)).all(axis=2).any()
    assert (noisy == np.array(WRONG, np.uint8)).all(axis=2).any()


def test_lives_are_drawn_with_what_was_named_rightly_and_wrongly() -> None:
    domain, network = DigitsDomain(asked=40), MlpNetwork(MlpOptions(hidden=(), init_scale=1.0))
    envs = Population((domain.named("all"),))
    pairs = Pairs.cross(envs, Population((contestant(network, domain, count=1).agents,)))
    answer = domain.live(pairs, network, torch.zeros(1, dtype=torch.int64), record=True)
    assert isinstance(answer, tuple)
    page = render(Subject(what="lifetime", envs=envs, trajectory=answer[1], caption="a life"), domain)
    tiles = [(page == np.array(colour, np.uint8)).all(axis=2).sum() for colour in (RIGHT, WRONG)]
    assert tiles[0] / sum(tiles) == pytest.approx(float(answer[0].fitness) / 100.0)
    frames = render(Subject(what="animation", envs=envs, trajectory=answer[1]), domain)
    assert len(frames) == 40
    assert render(Subject(what="lifetime", envs=envs), domain) is None


def test_poet_invents_tasks_for_agents_that_the_loss_improves(tmp_path: Path) -> None:
    poet = {
        "minimal_criterion": [5, 99],
        "reproduce_above": 0.0,
        "reproduce_every": 1,
        "transfer_every": 2,
        "capacity": 3,
        "children": 4,
        "admit": 1,
        "episodes": 1,
    }
    tables: dict[str, Any] = {
        "api": 1,
        "run": {"seed": 0, "workers": 0, "device": "cpu", "episodes": 1, "confirmations": 1, "stop": {"iterations": 3}},
        "population": {"domain": "digits", "networks": ["mlp"]},
        "slots": {"select": "poet", "improve": "meta-gradient"},
        "plugins": {
            "digits": {"options": {"asked": 50}},
            "mlp": {"options": {"hidden": [8], "output": "identity"}},
            "poet": {"options": poet},
            "local": {"options": {"device_block": 16}},
        },
    }
    run = aiga.run(tables, runs=tmp_path)
    journal = run.journal()
    assert len(journal[(journal["type"] == "admitted") & (journal["iteration"] > 0)]) >= 2
