"""The score: which sequences it is the mean of, and what a result says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import score
from score import (
    CLIPS_OF_SEVERAL,
    ScoreConfig,
    SequenceScore,
    facts_of,
    means_of,
    names_in,
    parse_policy,
    score_sequence,
    table,
)

from limpet.core.errors import ModelError
from limpet.registry import find

from .sequences import TINY, write_sequence

PLAIN = find("deaot-t").config()


def scored(name: str, j_and_f: float) -> SequenceScore:
    return SequenceScore(name, 1, 10, j_and_f, j_and_f, j_and_f, None)


def make_sequence(root: Path, name: str, frames: int) -> None:
    """A square that stands still."""
    mask = np.zeros((64, 96), np.uint8)
    mask[16:48, 16:64] = 1
    write_sequence(root, name, [mask] * frames)


def test_the_score_is_the_mean_of_its_sequences() -> None:
    parts = {"dev": ("a", "b"), "score": ("a", "b", "c"), "several": CLIPS_OF_SEVERAL}
    scores = {name: scored(name, value) for name, value in (("a", 60.0), ("b", 70.0))}
    assert means_of(scores, parts) == {"dev": 65.0, "score": None, "several": None}
    scores["c"] = scored("c", 35.0)
    assert means_of(scores, parts)["score"] == 55.0
    lines = table(list(scores.values()), means_of(scores, parts)).splitlines()
    assert lines[1].split() == ["a", "1", "10", "60.0", "60.0", "60.0"] and lines[-1].split() == [
        "score",
        "55.0",
    ]


def test_a_policy_with_its_gap_and_its_frames() -> None:
    policy = parse_policy("bounded:3:2", PLAIN)
    assert (policy.name, policy.gap, policy.max_frames) == ("bounded", 3, 2)
    assert (parse_policy("official", PLAIN).gap, parse_policy("first", PLAIN).max_frames) == (5, 0)
    for text in ("bounded:3:2:1", "bounded:x"):
        with pytest.raises(ModelError, match=f"--memory '{text}' is not understood; expected NAME, NAME:GAP"):
            parse_policy(text, PLAIN)
    with pytest.raises(ModelError, match="there is no memory policy called 'all'"):
        parse_policy("all", PLAIN)


def test_every_counts_frames_of_the_video(tmp_path: Path) -> None:
    """The 15 frames of penguins are every 5th of the video: with every 10th frame, 8 are used."""
    for name in ("bus", "penguins"):
        make_sequence(tmp_path, name, 15)
    for name, every, frames in (("bus", 1, 13), ("bus", 5, 1), ("penguins", 5, 13), ("penguins", 10, 6)):
        found = score_sequence(ScoreConfig(**{**vars(TINY), "every": every}), tmp_path, name)
        assert (found.name, found.frames, found.objects) == (name, frames, 1) and 0 <= found.j_and_f <= 100


def test_a_result_names_what_it_depends_on() -> None:
    facts = facts_of(TINY)
    assert (
        facts["memory"] == {"policy": "bounded", "gap": 5, "max_frames": 2}
        and facts["precision"] == "float32"
    )
    assert len(facts["weights_sha256"]) == 64 and facts["model"] == "deaot-t-deformable"


def test_the_sequences_are_those_of_the_data(shared: Path) -> None:
    data = shared / "data"
    dev, hard, everything = (names_in(data, part) for part in ("dev", "hard", "score"))
    assert sorted(everything) == sorted([*dev, *hard]) and len(everything) == 13
    assert all((data / "multi_object/Annotations/480p" / name).is_dir() for name in CLIPS_OF_SEVERAL)


def test_each_result_is_a_line_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "davis2016/ImageSets").mkdir(parents=True)
    for part, names in (("dev", "bus"), ("hard", "libby"), ("score", "bus\nlibby")):
        (tmp_path / f"davis2016/ImageSets/{part}.txt").write_text(f"{names}\n")
    values = {"bus": 80.0, "libby": 60.0, "schoolgirls": 40.0, "penguins": 90.0}
    monkeypatch.setattr(score, "score_all", lambda _, __, names, ___: (scored(n, values[n]) for n in names))
    command = [
        "score.py",
        "--data",
        str(tmp_path),
        "--json",
        str(tmp_path / "found.jsonl"),
        "--device",
        "cpu",
    ]
    monkeypatch.setattr("sys.argv", [*command, "--memory", "first", "bounded:3:2"])
    score.main()
    first, second = map(json.loads, (tmp_path / "found.jsonl").read_text().splitlines())
    assert (
        first["j_and_f"] == {"dev": 80.0, "hard": 60.0, "score": 70.0, "several": 65.0} == second["j_and_f"]
    )
    assert [line["memory"]["policy"] for line in (first, second)] == ["first", "bounded"]
    assert [each["name"] for each in first["sequences"]] == list(values) and len(
        first["weights_sha256"]
    ) == 64
    assert "several" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*command, "--only", "dev", "penguins"])
    score.main()
    third = json.loads((tmp_path / "found.jsonl").read_text().splitlines()[-1])
    assert [each["name"] for each in third["sequences"]] == ["bus", "penguins"] and third["j_and_f"][
        "dev"
    ] == 80.0
    monkeypatch.setattr("sys.argv", [*command, "--only", "camel"])
    with pytest.raises(SystemExit, match="there is no camel; use dev, hard, score, several, bus, libby"):
        score.main()
