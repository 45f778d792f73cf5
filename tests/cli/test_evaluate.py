"""`limpet eval davis` with a real, untrained model on a tiny data set (its parts: tests/evaluation)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.burst_tracks import make_tracks
from evaluation.tiny import box, make_sequence, make_split, make_youtube_vos, moving_box
from PIL import Image

from limpet.cli.options import MODEL

from .command import Limpet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sequences, one of them with objects 7 and 200."""
    pair = [mask + box(14, 2, 8, 8, 200) for mask in moving_box(5, 7)]
    make_sequence(tmp_path / "davis", "one", moving_box(4))
    make_sequence(tmp_path / "davis", "pair", pair)
    make_split(tmp_path / "davis", "val", ["one", "pair"])
    return tmp_path / "davis"


def test_scores_of_a_model(limpet: Limpet, root: Path, weights: Path, tmp_path: Path) -> None:
    command = ("eval", "davis", root, "--split", "val", "--out", "scores")
    outcome = limpet(*command, "--weights", weights)
    outcome.succeeded()
    assert outcome.err == ""
    assert "val: J&F " in outcome.out and "frames/s in the tracker (7 steps)" in outcome.out
    assert "protocol DAVIS, val, 480p (2 videos) · frames seen every frame · network size " in outcome.out
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {
        ".lock", "evaluation.json", "masks", "per_object.csv", "per_sequence.csv", "scores.json", "videos", "worst",
        "worst.png",
    }  # fmt: skip
    with (tmp_path / "scores/per_object.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["sequence"], row["object"]) for row in rows[:3]] == [
        ("one", "1"),
        ("pair", "7"),
        ("pair", "200"),
    ]
    receipt = json.loads((tmp_path / "scores/scores.json").read_text())["receipt"]
    assert (receipt["model"], receipt["device"]) == (MODEL, "cpu") or receipt["device"].startswith("cuda")
    given = np.array(Image.open(tmp_path / "scores/masks/pair/00000.png"))
    assert set(np.unique(given)) == {0, 7, 200} and len(list((tmp_path / "scores/masks/pair").iterdir())) == 5
    again = limpet(*command, "--weights", weights)
    again.succeeded()
    assert table(again.out) == table(outcome.out), "what is done is not run again"
    limpet(*command, "--weights", weights, "--max-size", 32).refused(
        "scores holds an evaluation with other settings (max_size: 480, now 32)"
    )


def table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("one", "pair", "mean", " "))]


def test_scores_of_saved_masks(limpet: Limpet, root: Path) -> None:
    """The truth scores 100 against itself; no model is needed for it."""
    outcome = limpet("eval", "davis", root, "--split", "val", "--predictions", root / "Annotations/480p")
    outcome.succeeded()
    assert "val: J&F 100.0" in outcome.out and outcome.err == ""


def test_withheld_labels_give_a_submission(limpet: Limpet, weights: Path, tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "data")
    command = ("eval", "youtube-vos", "data", "--weights", weights)
    limpet(*command).refused("the labels of YouTube-VOS, valid are withheld", "give --out DIR")
    outcome = limpet(*command, "--out", "out", "--memory", "ring", "--memory-gap", 3)
    outcome.succeeded()
    assert (
        "frames seen all frames (30 fps)" in outcome.out
        and "memory ring, gap 3, at most 8 frames" in outcome.out
    )
    assert "submission.zip: in order, 10 masks of 2 videos" in outcome.out and outcome.err == ""
    limpet("eval", "check", "out/submission.zip", "youtube-vos", "data").succeeded()
    (tmp_path / "out/masks/late/00004.png").unlink()
    (tmp_path / "out/masks").rename(tmp_path / "Annotations")
    (tmp_path / "sub").mkdir()
    (tmp_path / "Annotations").rename(tmp_path / "sub/Annotations")
    checked = limpet("eval", "check", "sub", "youtube-vos", "data")
    assert checked.code == 1 and "1 kind of problem in 9 masks" in checked.out
    assert checked.err.startswith("note: missing frame: late/00004.png; expected one PNG")


def test_what_is_chosen_about_the_memory(limpet: Limpet, root: Path, weights: Path) -> None:
    command = ("eval", "davis", root, "--split", "val", "--weights", weights, "--memory", "first")
    limpet(*command, "--memory-gap", 3).refused(
        "--memory-gap is 3, but the memory policy 'first' keeps no tracked"
    )
    limpet("eval", "youtube-vos", root, "--frames", "some").refused(
        "frames is 'some'; expected all or listed"
    )


def test_bad_input(limpet: Limpet, root: Path, weights: Path, tmp_path: Path) -> None:
    command = ("eval", "davis", root, "--split")
    limpet(*command, "test", "--weights", weights).refused(
        "there is no split 'test' in ", "the splits there are: val"
    )
    limpet("eval", "davis", "gone", "--split", "val").refused(
        "gone is not a folder; expected the folder of a data set"
    )
    limpet(*command, "val", "--weights", "gone.safetensors").refused(
        "there is no weights file at gone.safetensors"
    )
    limpet(*command, "val", "--resolution", "4k").refused("there is no folder ", "resolutions there: 480p")
    limpet(*command, "val", "--save-masks").refused("--save-masks is now called --masks")
    limpet(*command, "val", "--predictions", "gone").refused("there is no folder of predictions gone")
    (tmp_path / "file").write_text("mine")
    limpet(*command, "val", "--weights", weights, "--out", "file").refused(
        "cannot write file: a part of the path"
    )
    (root / "Annotations/480p/one/00002.png").unlink()
    limpet(*command, "val", "--weights", weights).refused(
        "'one' lacks the annotations of 1 of 4 frames", "00002.png"
    )


def test_burst_is_told_by_hota(limpet: Limpet, tmp_path: Path) -> None:
    make_tracks(tmp_path / "burst", tmp_path / "saved")
    command = ("eval", "burst", tmp_path / "burst", "--predictions", "saved", "--out", "scores")
    for _ in range(2):  # the second time from what was kept
        outcome = limpet(*command)
        outcome.succeeded()
        assert "val: HOTA 72.3" in outcome.out
        rows = [line.split() for line in outcome.out.splitlines()]
        assert ["classes", "overlap", "of", "HOTA", "DetA", "AssA"] in rows
        assert ["common", "boxes", "(BURST's", "code)", "52.8", "59.7", "48.3"] in rows
        assert ["common", "masks", "47.6", "53.3", "44.3"] in rows
    found = json.loads((tmp_path / "scores/scores.json").read_text())["tracks"]
    assert found["boxes"]["classes"]["tag"]["AssA"] == pytest.approx(0.9248120300751881)
    assert list(found["masks"]["groups"]) == ["all", "common", "uncommon"]
