"""Damage of every kind of file: the right answer, or a sentence; never a traceback, a hang or another mask in silence.

A sample is tried in each run of the suite. With LIMPET_SOAK set (``make soak``) it is every length, bit and field.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .changes import bit_flips, changed_at_random, every_change, json_changes, some_changes, truncations
from .kinds import KINDS
from .trial import Trial

SOAK = bool(os.environ.get("LIMPET_SOAK"))
SLOW = {
    "alpha-prores": 4,
    "alpha-vp9": 4,
    "alpha-qtrle": 4,
    "alpha-ffv1": 4,
    "alpha-png": 4,
    "label-studio-vector": 10,
}
"""Videos take a fiftieth of a second each: how many are sampled of them."""
SAMPLED, FUZZED = 16, 6


@pytest.mark.timeout(3 * 3600 if SOAK else 120)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_damaged_is_told_or_right(name: str, tmp_path: Path) -> None:
    trial = Trial(KINDS[name], tmp_path)
    if SOAK:
        trial.run(every_change(trial.data, trial.is_json))
    else:
        trial.run(some_changes(trial.data, trial.is_json, SLOW.get(name, SAMPLED), name))
    assert trial.faults == []
    if SOAK:
        print(f"\n{name}: {len(trial.data)} bytes, {dict(trial.outcomes)}")


@pytest.mark.parametrize("name", KINDS)
def test_inputs_of_the_fuzzer_end_in_an_answer_or_a_sentence(name: str, tmp_path: Path) -> None:
    """As ``python -m fuzz`` changes them: several changes one upon the other, and so without a right answer."""
    trial = Trial(KINDS[name], tmp_path)
    first = 1000 * list(KINDS).index(name)
    for number in range(first, first + (FUZZED if name not in SLOW else 1)):
        outcome = trial.outcome(changed_at_random(trial.data, trial.is_json, number))
        assert not outcome.startswith(("crash", "hang", "an empty")), f"input {number}: {outcome}"


def test_changes_are_all_there_and_different() -> None:
    data = b'{"a": [1, 2], "b": "x"}'
    assert [change.data for change in truncations(data)] == [data[:n] for n in range(len(data))]
    flips = {change.data for change in bit_flips(data)}
    assert len(flips) == 8 * len(data) and data not in flips
    named = {change.what: change.data for change in json_changes(data.decode())}
    assert named["b removed"] == b'{"a": [1, 2]}'
    assert named["a.0 exchanged with its neighbour"] == b'{"a": [2, 1], "b": "x"}'
    assert named["a.1 is '1000000000000'"] == b'{"a": [1, 1000000000000], "b": "x"}'
    assert (named["a.1 is a deep nest"] or b"").count(b"[") > 1000


def test_a_sample_is_always_the_same() -> None:
    data = b'{"a": [1, 2], "b": "x"}'
    assert some_changes(data, True, 20, "s") == some_changes(data, True, 20, "s")
    assert some_changes(data, True, 20, "s") != some_changes(data, True, 20, "t")
