"""``limpet vot``: what the toolkit starts, the workspaces that it reads, and the tables of its results."""

from __future__ import annotations

import configparser
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation.tiny import box, make_sequence, make_split
from evaluation.vot.box_workspace import write_workspace
from PIL import Image

import limpet as library
from limpet.cli.evaluation_options import MemoryOptions
from limpet.cli.options import TrackerOptions
from limpet.cli.vot_options import PRESETS, VotOptions, load_tracker
from limpet.evaluation.vot.regions import decode_region, encode_region
from limpet.evaluation.vot.trax_connection import parse_message

from .command import Limpet, finish, start

SIZE = (48, 64)
SMALL = ("--model", "deaot-nano", "--device", "cpu")


def options(**changes: Any) -> dict[str, Any]:
    defaults = [vars(kind()) for kind in (TrackerOptions, MemoryOptions, VotOptions)]
    return {**defaults[0], **defaults[1], **defaults[2], "model": "deaot-nano", "device": "cpu", **changes}


def session(folder: Path) -> str:
    """Two objects in three frames, and then the first of them in the other direction."""
    chance, mask = np.random.default_rng(0), np.zeros((2, *SIZE), bool)
    mask[0, 8:30, 6:26], mask[1, 20:40, 36:58] = True, True
    for index in range(3):
        picture = chance.integers(0, 60, (*SIZE, 3), dtype=np.uint8)
        picture[mask[0]], picture[mask[1]] = (220, 40, 40), (40, 220, 40)
        Image.fromarray(picture).save(folder / f"{index}.png")
    regions = [f"mask:{encode_region(each)}" for each in mask]
    frames = [f'@@TRAX:frame "file://{folder / f"{index}.png"}"' for index in range(3)]
    begins = [f'@@TRAX:initialize "{region}"' for region in regions]
    lines = [*begins, *frames, "@@TRAX:initialize", begins[0], *frames[::-1], "@@TRAX:quit"]
    return "\n".join(lines) + "\n"


def track_on(tracker: Any, state: Any, images: list[np.ndarray]) -> Iterator[np.ndarray]:
    for image in images:
        mask, state = tracker.step(image, state)
        yield mask


def test_serve_answers_the_toolkit(tmp_path: Path) -> None:
    (tmp_path / "session").write_text(session(tmp_path))
    with (tmp_path / "session").open() as lines:
        outcome = finish(
            start("vot", "serve", *SMALL, "--max-size", 48, "--preset", "vots2023", stdin=lines), timeout=100
        )
    outcome.succeeded()
    said = [parse_message(line) for line in outcome.out.splitlines()]
    assert [word for word, _ in said] == ["hello", *["state"] * 9], "nothing else on standard output"
    assert "trax.name=limpet deaot-nano" in said[0][1]
    planes = [decode_region(arguments[0]).on_image(SIZE) for _, arguments in said[1:]]
    images = [np.asarray(Image.open(tmp_path / f"{index}.png")) for index in range(3)]
    tracker = load_tracker(options(max_size=48, preset="vots2023"))
    expected = []
    for order, objects in ((images, 2), (images[::-1], 1)):
        mask = sum((k + 1) * planes[k].astype(np.uint8) for k in range(objects))
        state = tracker.start(order[0], mask)
        masks = [mask, *(track_on(tracker, state, order[1:]))]
        expected += [each == k for each in masks for k in range(1, objects + 1)]
    assert all(map(np.array_equal, planes, expected)), "the masks are those of the tracker itself"
    assert planes[0].sum() == planes[6].sum() == 22 * 20 and planes[3].any()


def test_a_workspace_of_own_videos(limpet: Limpet, tmp_path: Path) -> None:
    make_sequence(tmp_path / "DAVIS", "one", [box(4, index) for index in range(7)])
    make_split(tmp_path / "DAVIS", "val", ["one"])
    words = (
        "vot",
        "init",
        "ws",
        "--data",
        "DAVIS",
        "--split",
        "val",
        "--eao",
        2,
        5,
        "--anchors",
        3,
        "--fps",
        12,
    )
    outcome = limpet(*words, *SMALL, "--min-confidence", 0.25, "--preset", "vot2020")
    outcome.succeeded()
    assert "vot evaluate --workspace ws limpet" in " ".join(outcome.out.split())
    assert "fps=12" in Path("ws/sequences/one/sequence").read_text()
    listed = configparser.ConfigParser()
    listed.read("ws/trackers.ini")
    command = shlex.split(listed["limpet"]["command"])
    assert command == [
        sys.executable, "-m", "limpet", "vot", "serve", *SMALL, "--preset", "vot2020", "--min-confidence", "0.25"
    ]  # fmt: skip
    limpet("vot", "init", "ws", *SMALL, "--name", "other").succeeded()
    limpet("vot", "init", "ws", *SMALL).refused("lists a tracker limpet already", "or pass --overwrite")
    limpet("vot", "init", "ws", *SMALL, "--fps", 12, "--name", "third").refused("ws is a workspace already")


def test_an_official_workspace_leaves_the_data_to_the_toolkit(limpet: Limpet, tmp_path: Path) -> None:
    limpet("vot", "init", "ws", *SMALL).succeeded()
    assert json.loads(Path("ws/config.yaml").read_text())["stack"] == "vot2020/shortterm"
    assert sorted(path.name for path in Path("ws").iterdir()) == ["config.yaml", "trackers.ini"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--stack vots", "--stack vots is for data of your own; name it with --data ROOT"),
        ("--stack vot2022/shortterm --data .", "has data of its own, which the toolkit downloads"),
        ("--stack vot2013", "there is no VOT stack 'vot2013' here"),
        ("--fps 30", "--fps is about videos of your own; name them with --data ROOT, or leave it out"),
        ("--preset vot2013", "there is no preset 'vot2013'; the choices are: vot2020, vots2023"),
        ("--model deaot-huge", "deaot-huge"),
        (
            "--data . --eao 30 5",
            "the interval of the expected average overlap is 30 to 5; expected 0 < LOW < HIGH",
        ),
        ("--memory first --memory-gap 3", "do not go with the memory policy first"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    limpet: Limpet, tmp_path: Path, words: str, sentence: str
) -> None:
    limpet("vot", "init", "ws", *SMALL, *words.split()).refused(sentence)
    assert not Path("ws").exists()


def test_a_preset_gives_way_to_options() -> None:
    tracker = load_tracker(options(preset="vots2023"))
    assert (tracker.short_term_skip, tracker.memory.name) == (2, "ring")
    assert (tracker.memory.gap, tracker.memory.max_frames) == (30, 9)
    tracker = load_tracker(options(preset="vots2023", short_term_skip=3, memory="bounded", memory_frames=4))
    assert (tracker.short_term_skip, tracker.memory.name) == (3, "bounded")
    assert (tracker.memory.gap, tracker.memory.max_frames) == (30, 4)
    plain = load_tracker(options())
    assert plain.memory == library.load("deaot-nano", device="cpu").memory and plain.short_term_skip == 1
    assert PRESETS["vot2020"].short_term_skip == 4


def test_tables_of_results(limpet: Limpet, tmp_path: Path) -> None:
    write_workspace(tmp_path / "ws", multiobject=False)
    recorded = Path(__file__).parents[1] / "evaluation/vot/recorded_single.json"
    outcome = limpet(
        "vot", "table", "ws", "late", "--analysis", recorded, "--published", "--json", "out.json"
    )
    outcome.succeeded()
    assert "not official" in outcome.out and "R50-DeAOT-L" in outcome.out
    ours, theirs = [
        line.split() for line in outcome.out.splitlines() if "limpet " in line or "toolkit " in line
    ][:2]
    assert ours[2:] == theirs[1:] == ["0.662", "0.641", "1.000"]
    written = json.loads(Path("out.json").read_text())
    assert written["official"] is False
    assert [result["experiment"] for result in written["results"]] == ["baseline", "realtime", "unsupervised"]
    assert written["results"][0]["score"]["eao"] == pytest.approx(0.6617616461900147, abs=1e-9)
    limpet("vot", "table", ".").refused("is not a workspace of VOT's toolkit")
