"""Labels on disk: whole or absent, made once, and refused where they were made otherwise."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

import limpet.distillation.label_cache as label_cache
from limpet.core.errors import OutputError
from limpet.core.masks import write_mask
from limpet.distillation.label_footage import LabelConfig

from .labelling import (
    CONFIG,
    FRAMES,
    Teacher,
    files_of,
    first_mask,
    label,
    make_frames,
)


def test_a_killed_run_goes_on(place: Path, teacher: Teacher) -> None:
    whole = files_of(label(place, teacher).folder.root)
    (place / "cache").rename(place / "whole")

    def kill(done: int, total: int | None) -> None:
        if teacher.steps == 3 * FRAMES:  # in the middle of the second clip
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(place, teacher, on_frame=kill)
    assert list(json.loads((place / "cache" / "labels.json").read_text())["clips"]) == ["cat"]
    assert not (place / "cache" / ".part").exists()
    # what a run leaves that is killed between moving a clip and noting it
    stale = place / "cache" / "JPEGImages" / "480p" / "dog"
    stale.mkdir()
    (stale / "00099.jpg").touch()
    (place / "cache" / ".part" / "JPEGImages").mkdir(parents=True)
    teacher.steps, told = 0, []
    label(place, teacher, on_clip=lambda *facts: told.append(facts))
    assert teacher.steps == FRAMES - 1 and told == [("cat", 0, 2), ("dog", 1, 2)]
    assert files_of(place / "cache") == whole


@pytest.mark.parametrize("kind", ["teacher", "stride", "mask", "footage"])
def test_what_changed_is_told_and_relabelled_only_when_asked(
    place: Path, teacher: Teacher, kind: str
) -> None:
    label(place, teacher)
    config, message = CONFIG, ""
    if kind == "teacher":
        teacher.weights_sha256 = "b" * 64
        message = r"teacher weights_sha256 was aaaaaaaaaaaa… and is bbbbbbbbbbbb…"
    elif kind == "stride":
        config, message = (
            LabelConfig(stride=2, least_frames=2),
            "settings stride was 1 and is 2, least_frames was 5 and is 2",
        )
    elif kind == "mask":
        write_mask(place / "masks" / "dog.png", first_mask(1, 2))
        message = r"dog \(first mask changed\)"
    else:
        make_frames(place / "other", seed=7)
        (place / "other" / "00000.png").replace(place / "footage" / "dog" / "00000.png")
        message = r"dog \(.*content changed\)"
    before = files_of(place / "cache")
    with pytest.raises(OutputError, match=f"{message}.*use relabel=True.*or choose another folder"):
        label(place, teacher, config)
    assert files_of(place / "cache") == before
    teacher.steps = 0
    result = label(place, teacher, config, relabel=True)
    expected = {"teacher": 2 * (FRAMES - 1), "stride": 2 * 3, "mask": FRAMES - 1, "footage": FRAMES - 1}
    assert teacher.steps == expected[kind] and len(result.clips) == 2
    label(place, teacher, config)  # and now it fits


def test_more_footage_joins_and_absent_footage_stays_out(place: Path, teacher: Teacher) -> None:
    label(place, teacher)
    (place / "footage" / "cat").rename(place / "footage" / "eel")
    (place / "masks" / "cat.png").rename(place / "masks" / "eel.png")
    result = label(place, teacher)
    assert [sequence.name for sequence in result.folder.sequences] == ["dog", "eel"]
    assert result.notices[-1].endswith("also holds 1 clips that are not in this footage; they are not used")


def test_a_full_disk_keeps_what_is_done(
    place: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, mask: np.ndarray) -> None:
        if teacher.steps >= FRAMES:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_mask(path, mask)

    monkeypatch.setattr(label_cache, "write_mask", full)
    with pytest.raises(OutputError, match=r"cache.*no space left.*1 clips are done and kept in .*cache"):
        label(place, teacher)
    monkeypatch.undo()
    teacher.steps = 0
    assert len(label(place, teacher).clips) == 2 and teacher.steps == FRAMES - 1


def test_a_folder_with_other_things_is_refused(place: Path, teacher: Teacher) -> None:
    (place / "cache").mkdir()
    (place / "cache" / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"is not empty and holds no labels"):
        label(place, teacher, relabel=True)
    (place / "cache" / "labels.json").write_text('{"format": "other"}')
    with pytest.raises(OutputError, match=r"labels.json cannot be used"):
        label(place, teacher)
