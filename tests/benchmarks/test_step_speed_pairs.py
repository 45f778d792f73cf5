"""Two checkouts timed in turn: here twice the same, on tiny frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from step_speed_pairs import moving_boxes, weights_of

ROOT = Path(__file__).parents[2]


def test_one_checkout_beside_itself(tmp_path: Path) -> None:
    command = [
        sys.executable, ROOT / "benchmarks/step_speed_pairs.py", ROOT, ROOT, "--models", "deaot-t-deformable",
        "--size", 64, 96, "--objects", 2, "--threads", 1, "--pairs", 3, "--steps", 1, "--warm-up", 1,
        "--json", tmp_path / "found.json",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deaot-t-deformable, 64x96, 2 objects" in done.stdout and "masks are equal" in done.stdout
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert found["equal_masks"] is True and found["what"]["size"] == [64, 96]
    assert len(found["seconds"]["pairs"]) == 3 and found["seconds"]["quartile_1"] <= found["seconds"]["ratio"]


def test_every_object_has_its_box() -> None:
    frames, mask = moving_boxes((64, 96), 3)
    assert np.unique(mask).tolist() == [0, 1, 2, 3] and mask.shape == (64, 96)
    assert frames[0].shape == (64, 96, 3) and not np.array_equal(frames[0], frames[4])


def test_a_checkout_without_the_weights(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no weights of deaot-t; name a file with --weights"):
        weights_of("deaot-t", tmp_path)
