"""``limpet.evaluate``: a tracker, or saved masks, on a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

import limpet
from limpet.core.errors import DataError

from .tiny import (
    CopiesMasks,
    RepeatsFirstMask,
    make_mose,
    make_sequence,
    make_split,
    make_youtube_vos,
    moving_box,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        make_sequence(tmp_path / "davis", name, moving_box(4))
    make_split(tmp_path / "davis", "val", ["one", "two"])
    return tmp_path / "davis"


def test_a_tracker_and_the_masks_that_it_leaves_score_the_same(root: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    scores = limpet.evaluate(
        RepeatsFirstMask(), root, "val", save_masks=tmp_path / "masks",
        on_frame=lambda sequence, index: seen.append((sequence.name, index)),
    )  # fmt: skip
    assert scores.steps == 6 and seen == [(name, index) for name in ("one", "two") for index in range(4)]
    assert 0 < scores.j_and_f < 1
    saved = limpet.evaluate(tmp_path / "masks", root, "val")
    assert saved.objects == scores.objects
    truth = limpet.evaluate(root / "Annotations/480p", str(root), "val")
    assert truth.j_and_f == 1


def test_what_is_missing_is_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        limpet.evaluate(RepeatsFirstMask(), tmp_path / "gone", "val")
    with pytest.raises(DataError, match="there is no folder of predictions"):
        limpet.evaluate(tmp_path / "nothing", root, "val")


def test_other_protocols(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "data", labelled=True)
    scores = limpet.evaluate(
        CopiesMasks(), tmp_path / "data", protocol="youtube-vos", save_masks=tmp_path / "out"
    )
    assert scores.headline[0] == "G" and len(scores.objects) == 3
    again = limpet.evaluate(tmp_path / "out", tmp_path / "data", "valid", protocol="youtube-vos")
    assert again.objects == scores.objects


def test_withheld_labels_are_told(tmp_path: Path) -> None:
    make_mose(tmp_path)
    with pytest.raises(DataError, match="withheld, so that there are no scores; limpet eval mose writes"):
        limpet.evaluate(CopiesMasks(), tmp_path, protocol="mose")
