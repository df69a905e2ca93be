"""The plugin `tensorboard`: what a run's numbers, pictures and configuration look like to a reader of its event files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aiga import Batch, Event, Kind, Niches, Population, Subject
from aiga import codec as codecs
from aiga_tensorboard import TensorBoard
from aiga_tensorboard.event_file import EventFile
from aiga_tensorboard.logger import TensorBoardLogger

NAN = float("nan")


class Archive:
    def __init__(self) -> None:
        self.env_ids = torch.empty(0, dtype=torch.int64)

    def environments(self, ids: torch.Tensor) -> tuple[Population, torch.Tensor]:
        held = torch.unique(ids)
        batch = Batch(Kind("toy"), held, {"level": held.double()})
        return Population((batch,)), torch.searchsorted(held, ids)


class Lab:
    """What the logger sees of a run: scores of niches by environment, and events."""

    def __init__(self, path: Path) -> None:
        self.path, self.iteration, self.events = path, 0, ()
        self.archive, self.niches = Archive(), Niches.none()
        self.steps, self.spent, self.draws = 0, 0.0, True
        total = lambda kind: self.steps if kind == "environment_steps" else self.steps // 10  # noqa: E731
        self.meter = SimpleNamespace(total=total, seconds=lambda: {("poet", "generate"): self.spent})

    def render(self, subject: Subject) -> Any:
        if not self.draws:
            return None
        levels = torch.cat([batch.leaves["level"] for batch in subject.envs.batches]).tolist()
        return [np.full((4, 8, 3), int(level), dtype=np.uint8) for level in levels]

    def next(self, scores: Mapping[int, float], *events: Event) -> Lab:
        self.iteration += 1
        self.steps += 1000
        self.spent += 0.5
        self.events = events
        ids = torch.tensor(list(scores), dtype=torch.int64)
        rows = torch.arange(len(ids))
        envs = Population((Batch(Kind("toy"), ids, {"level": ids.double()}),))
        score = torch.tensor(list(scores.values()), dtype=torch.float64)
        history = torch.full((len(ids), 5), NAN, dtype=torch.float64)
        self.niches = Niches(rows, rows, rows, rows, score, history, rows < 0, envs, envs, {})
        return self

    def admit(self, *ids: int) -> Lab:
        self.archive.env_ids = torch.cat([self.archive.env_ids, torch.tensor(ids, dtype=torch.int64)])
        return self


def event(type: str, **columns: Sequence[Any]) -> Event:
    return Event(type, 0, columns)


def admitted(*envs: int, **notes: Sequence[Any]) -> Event:
    return event("admitted", env=envs, **notes)


def solved(env: int, at_birth: bool = False) -> Event:
    return event("solved", env=[env], at_birth=[at_birth])


def logger(**options: Any) -> TensorBoardLogger:
    return TensorBoardLogger(**{"every": 1, "pictures": True, "niches": 500, **options})


def read(path: Path) -> EventAccumulator:
    found = EventAccumulator(str(path / "tb"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def curve(path: Path, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in read(path).Scalars(tag)]


def test_each_niche_has_a_curve_of_its_own_named_by_its_environment(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger()
    log.log(lab.next({3: 1.5, 12: -2.0}), {})
    log.log(lab.next({12: 4.0, 40: NAN}), {})
    assert curve(tmp_path, "scores/env-3") == [(1, 1.5)]
    assert curve(tmp_path, "scores/env-12") == [(1, -2.0), (2, 4.0)]
    assert "scores/env-40" not in read(tmp_path).Tags()["scalars"]
    assert curve(tmp_path, "search/best_score") == [(1, 1.5), (2, 4.0)]
    assert curve(tmp_path, "search/mean_score") == [(1, -0.25), (2, 4.0)]


def test_an_environment_with_several_niches_shows_its_best(tmp_path: Path) -> None:
    lab = Lab(tmp_path).next({1: 0.0, 2: 0.0, 3: 0.0})
    twice = Batch(Kind("toy"), torch.tensor([7, 7, 7]), {"level": torch.zeros(3)})
    lab.niches = Niches(
        *(torch.arange(3),) * 4,
        torch.tensor([9.0, 2.0, NAN]).double(),
        torch.zeros(3, 5).double(),
        torch.zeros(3).bool(),
        Population((twice,)),
        Population((twice,)),
        {},
    )
    logger().log(lab, {})
    assert curve(tmp_path, "scores/env-7") == [(1, 9.0)]


def test_beyond_a_number_of_niches_best_and_mean_stand_alone(tmp_path: Path) -> None:
    logger(niches=2).log(Lab(tmp_path).next({1: 1.0, 2: 2.0, 3: 3.0}), {})
    tags = read(tmp_path).Tags()["scalars"]
    assert not [tag for tag in tags if tag.startswith("scores/")]
    assert "search/best_score" in tags


def test_annecs_counts_an_environment_solved_after_its_birth_once(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger()
    log.log(lab.next({1: 0.0}, admitted(1, 2, 3, archive_passed=[True, False, True])), {})
    log.log(lab.next({1: 0.0}, solved(1), solved(2)), {})
    log.log(lab.next({1: 0.0}, solved(1), solved(3, at_birth=True)), {})
    assert curve(tmp_path, "annecs/active") == [(1, 0.0), (2, 2.0), (3, 2.0)]
    assert curve(tmp_path, "annecs/archive") == [(1, 0.0), (2, 1.0), (3, 1.0)]
    assert curve(tmp_path, "annecs/solved_at_birth") == [(1, 0.0), (2, 0.0), (3, 1.0)]
    assert curve(tmp_path, "annecs/solved") == [(1, 0.0), (2, 2.0), (3, 3.0)]


def test_annecs_does_not_count_an_environment_the_run_was_founded_with(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path).admit(0), logger()
    log.log(lab.next({0: 0.0}, admitted(1), solved(0)), {})
    log.log(lab.next({0: 0.0, 1: 0.0}, solved(0, at_birth=True), solved(1)), {})
    assert curve(tmp_path, "annecs/active") == [(1, 0.0), (2, 1.0)]
    assert curve(tmp_path, "annecs/solved") == [(1, 0.0), (2, 1.0)]
    assert curve(tmp_path, "annecs/solved_at_birth") == [(1, 0.0), (2, 0.0)]


def test_what_was_admitted_before_a_resume_still_counts_once_it_is_solved(tmp_path: Path) -> None:
    lab, first, second = Lab(tmp_path), TensorBoard(), TensorBoard()
    first._logger.log(lab.admit(1).next({1: 0.0}, admitted(1)), {})
    second.load_state_dict(codecs.loads(codecs.dumps(first.state_dict())), 1)
    second._logger.log(lab.next({1: 0.0}, solved(1)), {})
    assert curve(tmp_path, "annecs/active") == [(1, 0.0), (2, 1.0)]


def test_annecs_against_the_archive_is_left_out_where_nobody_checked(tmp_path: Path) -> None:
    logger().log(Lab(tmp_path).next({1: 0.0}, admitted(1, archive_passed=[None])), {})
    assert "annecs/archive" not in read(tmp_path).Tags()["scalars"]


def test_rates_are_shares_of_what_was_tried_since_the_last_logging(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger(every=2)
    offers = event("transferred", accepted=[True, False, False, True], still_wins=[True, None, None, False])
    log.log(lab.next({1: 0.0}, event("born", env=range(8)), admitted(1, 2), offers), {})
    log.log(lab.next({1: 0.0}), {})
    log.log(lab.next({1: 0.0}), {})
    log.log(lab.next({1: 0.0}), {})
    assert curve(tmp_path, "admission/rate") == [(2, 0.25)]
    assert curve(tmp_path, "transfer/rate") == [(2, 0.5)]
    assert curve(tmp_path, "transfer/still_wins") == [(2, 0.5)]
    assert curve(tmp_path, "transfer/offered") == [(2, 4.0), (4, 4.0)]
    assert curve(tmp_path, "admission/admitted") == [(2, 2.0), (4, 2.0)]


def test_metrics_of_plugins_keep_their_names(tmp_path: Path) -> None:
    logger().log(Lab(tmp_path).next({1: 0.0}), {"poet/novelty": 0.75})
    assert curve(tmp_path, "poet/novelty") == [(1, 0.75)]


def test_seconds_are_those_of_an_iteration_since_the_last_logging(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger(every=2)
    for _ in range(4):
        log.log(lab.next({1: 0.0}), {})
    assert curve(tmp_path, "seconds/poet.generate") == [(4, 0.5)]
    assert curve(tmp_path, "work/environment_steps") == [(2, 2000.0), (4, 4000.0)]
    assert curve(tmp_path, "work/steps_per_second")[0][1] > 0.0


def test_environments_are_drawn_once_when_they_are_admitted(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger()
    log.log(lab.admit(9, 5).next({5: 0.0, 9: 0.0}), {})
    log.log(lab.admit(6).next({5: 0.0, 9: 0.0, 6: 0.0}), {})
    found = read(tmp_path)
    assert {tag: [image.step for image in found.Images(tag)] for tag in found.Tags()["images"]} == {
        "environments/env-9": [1],
        "environments/env-5": [1],
        "environments/env-6": [2],
    }
    picture = found.Images("environments/env-9")[0]
    assert (picture.height, picture.width) == (4, 8)


def test_pictures_are_left_out_where_nobody_can_draw_or_nobody_wants_them(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "cannot")
    lab.draws = False
    logger().log(lab.admit(1).next({1: 0.0}), {})
    logger(pictures=False).log(Lab(tmp_path / "unwanted").admit(1).next({1: 0.0}), {})
    assert read(tmp_path / "cannot").Tags()["images"] == []
    assert read(tmp_path / "unwanted").Tags()["images"] == []


def test_the_configuration_is_shown_once_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("api = 1\n[run]\nseed = 7\n")
    lab, log = Lab(tmp_path), logger()
    log.log(lab.next({1: 0.0}), {})
    log.log(lab.next({1: 0.0}), {})
    (shown,) = read(tmp_path).Tensors("configuration/text_summary")
    assert shown.step == 1
    assert "    seed = 7" in shown.tensor_proto.string_val[0].decode()


def test_after_a_crash_and_a_resume_from_an_older_state_every_step_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("api = 1\n")
    lab, first = Lab(tmp_path), TensorBoard()
    for iteration in range(1, 11):
        first._logger.log(lab.admit(iteration).next({1: float(iteration)}, admitted(iteration), solved(iteration)), {})
        if iteration == 5:
            kept = codecs.dumps(first.state_dict())
    lab.iteration, lab.archive.env_ids = 5, lab.archive.env_ids[:5]
    second = TensorBoard()
    second.load_state_dict(codecs.loads(kept), 1)
    for iteration in range(6, 13):
        second._logger.log(lab.admit(iteration).next({1: 100.0 + iteration}, admitted(iteration), solved(iteration)), {})
    expected = [(i, float(i if i < 6 else 100 + i)) for i in range(1, 13)]
    assert curve(tmp_path, "scores/env-1") == expected
    assert curve(tmp_path, "annecs/active") == [(i, float(i)) for i in range(1, 13)]
    found = read(tmp_path)
    assert len(found.Tensors("configuration/text_summary")) == 1
    assert {tag: [image.step for image in found.Images(tag)] for tag in found.Tags()["images"]} == {
        f"environments/env-{i}": [i] for i in range(1, 13)
    }


def test_an_iteration_given_up_and_repeated_is_there_once(tmp_path: Path) -> None:
    lab, plugin = Lab(tmp_path), TensorBoard()
    plugin._logger.log(lab.next({1: 1.0}), {})
    start = plugin.state_dict()
    plugin._logger.log(lab.next({1: 2.0}), {})
    plugin.load_state_dict(start, 1)
    lab.iteration = 1
    plugin._logger.log(lab.next({1: 3.0}), {})
    assert curve(tmp_path, "scores/env-1") == [(1, 1.0), (2, 3.0)]


def test_a_file_torn_by_the_crash_hides_nothing_of_what_follows(tmp_path: Path) -> None:
    lab, log = Lab(tmp_path), logger()
    log.log(lab.next({1: 1.0}), {})
    log.log(lab.next({1: 2.0}), {})
    log.close()
    (torn,) = (tmp_path / "tb").iterdir()
    torn.write_bytes(torn.read_bytes()[:-7])
    lab.iteration = 1
    logger().log(lab.next({1: 2.5}), {})
    assert curve(tmp_path, "scores/env-1") == [(1, 1.0), (2, 2.5)]


def test_a_newer_file_is_read_last_though_the_clock_went_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EventFile(tmp_path, first=1).close()
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    EventFile(tmp_path, first=1).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert all(int(name.split(".")[3]) > 1_500_000_000 for name in names)


def test_what_is_logged_is_on_its_way_to_the_disk_at_once(tmp_path: Path) -> None:
    log = logger()
    log.log(Lab(tmp_path).next({1: 1.0}), {})
    assert curve(tmp_path, "scores/env-1") == [(1, 1.0)]


def test_a_full_disk_raises_where_it_happens_and_logging_goes_on_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, log = Lab(tmp_path), logger()
    log.log(lab.next({1: 1.0}), {})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(log._file._records, "write", full)  # type: ignore[union-attr]
        with pytest.raises(OSError, match="No space left"):
            log.log(lab.next({1: 2.0}), {})
    log.close()
    log.log(lab.next({1: 3.0}), {})
    assert curve(tmp_path, "scores/env-1") == [(1, 1.0), (3, 3.0)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_without_room_raises_an_oserror(tmp_path: Path) -> None:
    file = EventFile(tmp_path, first=1)
    file._file.close()
    file._file = Path("/dev/full").open("wb")  # noqa: SIM115
    file._records._writer = file._file
    with pytest.raises(OSError, match="No space left"):
        file.write(1, [])
    assert file._file.closed
