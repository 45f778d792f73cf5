"""VOT's own toolkit runs limpet and two other trackers on clips of our generator, and measures what we measure.

It takes minutes, so that it runs only where it is asked for: LIMPET_VOT_PYTHON names the Python of the environment
that scripts/vot_environment.sh makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from limpet.evaluation.vot.multistart import MultistartScore
from limpet.evaluation.vot.score_workspace import VotResult, score_workspace
from limpet.evaluation.vot.tables import measures_of, toolkit_measures
from limpet.evaluation.vot.workspace import TrackerEntry, add_tracker

from .box_workspace import TRACKERS, write_workspace
from .synthetic import write_videos

ROOT = Path(__file__).parents[3]
VARIABLE = "LIMPET_VOT_PYTHON"
TOOLKIT = Path(
    os.environ.get(VARIABLE, "")
).absolute()  # not resolved: an environment is found by its own path
OURS = "limpet"
OTHERS = ("drifting", "vanishing")
SECONDS = 1500

pytestmark = [
    pytest.mark.skipif(
        VARIABLE not in os.environ,
        reason=f"needs VOT's toolkit: scripts/vot_environment.sh makes its environment, {VARIABLE} names its Python",
    ),
    pytest.mark.timeout(3 * SECONDS),
]


def vot(*words: object, workspace: Path) -> None:
    """A command of the toolkit, which says what went wrong in its output or in the workspace's logs."""
    command = [TOOLKIT, "-m", "vot", str(words[0]), "--workspace", workspace, *words[1:]]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    logs = [path.read_text(errors="replace")[-2000:] for path in workspace.glob("logs/*")]
    said = (done.stdout + done.stderr)[-3000:]
    assert done.returncode == 0 and not logs and "rror" not in said, (said, logs)


def init(workspace: Path, *words: object) -> None:
    command = [sys.executable, "-m", "limpet", "vot", "init", workspace, *words, "--name", OURS]
    model = ("--model", "deaot-nano", "--device", "cpu", "--max-size", 96, "--short-term-skip", 2)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(list(map(str, (*command, *model))), check=True, env=environment)
    for name in OTHERS:
        script = Path(__file__).with_name("trackers.py")
        add_tracker(workspace, TrackerEntry(name, [sys.executable, str(script), name]))


def measured(workspace: Path, trackers: tuple[str, ...]) -> dict[tuple[str, str], VotResult]:
    """Our measures, once they are those of the toolkit."""
    vot("analysis", "--format", "json", "--name", "out", *trackers, workspace=workspace)
    theirs = toolkit_measures(workspace / "analysis" / "out.json")
    found = {(each.tracker, each.experiment): each for each in score_workspace(workspace, trackers)}
    assert found.keys() == theirs.keys()
    for key, result in found.items():
        assert result.score is not None
        for name, value in measures_of(result.score).items():
            assert value == pytest.approx(theirs[key][name], abs=1e-9), (key, name)
    return found


def test_single_objects_in_all_three_experiments(tmp_path: Path) -> None:
    write_videos(tmp_path / "data", count=1, frames=24)
    workspace = tmp_path / "workspace"
    init(workspace, "--data", tmp_path / "data", "--eao", 3, 20, "--anchors", 12, "--fps", 30)
    vot("evaluate", OURS, *OTHERS, workspace=workspace)
    found = measured(workspace, (OURS, *OTHERS))
    assert {experiment for _, experiment in found} == {"baseline", "realtime", "unsupervised"}
    ours, other = (found[name, "baseline"].score for name in (OURS, "drifting"))
    assert isinstance(ours, MultistartScore) and isinstance(other, MultistartScore)
    assert ours.eao > other.eao + 0.1, "a tracker is better than masks that drift"


def test_several_objects_at_once(tmp_path: Path) -> None:
    write_videos(tmp_path / "data", count=3, frames=24)
    workspace = tmp_path / "workspace"
    init(workspace, "--data", tmp_path / "data", "--stack", "vots", "--fps", 30, "--min-confidence", 0.2)
    vot("evaluate", OURS, *OTHERS, workspace=workspace)
    found = measured(workspace, (OURS, *OTHERS))
    assert {experiment for _, experiment in found} == {"baseline", "realtime"}


@pytest.mark.parametrize("multiobject", [False, True])
def test_the_recorded_figures_are_those_of_the_toolkit(tmp_path: Path, multiobject: bool) -> None:
    write_workspace(tmp_path, multiobject)
    measured(tmp_path, TRACKERS)
    kind = "multi" if multiobject else "single"
    recorded = toolkit_measures(Path(__file__).with_name(f"recorded_{kind}.json"))
    assert toolkit_measures(tmp_path / "analysis" / "out.json") == recorded
