"""`limpet visualise` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limpet.cli.visualise import parse_frames, parse_query
from limpet.core.errors import VideoError
from limpet.models import DeAOT
from limpet.registry import find
from limpet.weights.weights_file import Weights, write_weights

from .clips import SIZE, frames_in, write_first_mask
from .command import Limpet
from .conftest import FRAMES


@pytest.fixture(scope="module")
def deformable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("deformable") / "weights.safetensors"
    network = DeAOT(find("deaot-t-deformable").config())
    write_weights(path, Weights("deaot-t-deformable", network.state_dict()))
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_pictures_and_videos_of_a_deformable_model(
    limpet: Limpet, clip: Path, mask: Path, deformable: Path, tmp_path: Path
) -> None:
    outcome = limpet(
        "visualise", clip, "--mask", mask, "--model", "deaot-t-deformable", "--weights", deformable,
        "--out", "look", "--frames", "2,5",
    )  # fmt: skip
    outcome.succeeded()
    assert outcome.out == "maps, points, query, grid of 7 frames, 8 pictures as PNG -> look\n"
    assert outcome.err == ""
    kinds = ("grid", "maps", "points", "query")
    pictures = [f"{kind}/0000{frame}.png" for kind in kinds for frame in (2, 5)]
    assert files_in(tmp_path / "look") == sorted(
        [*pictures, *(f"{kind}.mp4" for kind in kinds), "visualise.json"]
    )
    assert frames_in(tmp_path / "look/grid.mp4") == FRAMES - 1, "the first frame's masks are given"
    facts = json.loads((tmp_path / "look/visualise.json").read_text())
    assert (facts["model"], facts["frames"], len(facts["weights_sha256"])) == (
        "deaot-t-deformable", [2, 5], 64
    )  # fmt: skip


def test_a_plain_model_has_no_grid_and_the_rest_is_drawn(
    limpet: Limpet, clip: Path, mask: Path, tmp_path: Path
) -> None:
    write_weights(
        tmp_path / "plain.safetensors", Weights("deaot-t", DeAOT(find("deaot-t").config()).state_dict())
    )
    plain = ("--model", "deaot-t", "--weights", "plain.safetensors")
    command = ("visualise", clip, "--mask", mask, *plain, "--no-video", "--every", 3)
    outcome = limpet(*command, "--what", "points,grid", "--out", "look")
    outcome.succeeded()
    assert outcome.err == (
        "note: deaot-t has no deformable attention and so no sampling grid to draw; *-deformable models have one\n"
    )
    assert files_in(tmp_path / "look") == ["points/00003.png", "points/00006.png", "visualise.json"]
    limpet(*command, "--what", "grid", "--out", "none").refused("no sampling grid to draw")
    assert not (tmp_path / "none").exists()


def test_a_model_that_follows_motion_has_pictures_of_it_and_others_do_not(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    write_weights(
        tmp_path / "devos.safetensors", Weights("devos-t", find("devos-t").config().build().state_dict())
    )
    moving = ("--model", "devos-t", "--weights", "devos.safetensors")
    command = ("visualise", clip, "--mask", mask, "--no-video", "--frames", 2)
    outcome = limpet(*command, *moving, "--out", "look")
    outcome.succeeded()
    assert outcome.out.startswith("maps, points, query, flow, sampling, scales of 1 frame")
    facts = json.loads((tmp_path / "look/visualise.json").read_text())
    assert facts["what"] == ["maps", "points", "query", "flow", "sampling", "scales"]
    limpet(*command, "--weights", weights, "--what", "flow", "--out", "none").refused(
        "does not follow motion"
    )


def test_the_newest_remembered_frame_has_a_panel_too(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    limpet(
        "visualise", clip, "--mask", mask, "--weights", weights, "--memory", "ring", "--frames", "1,7",
        "--what", "maps", "--out", "look", "--no-video",
    ).succeeded()  # fmt: skip
    pictures = [np.array(Image.open(path)) for path in sorted((tmp_path / "look/maps").iterdir())]
    assert pictures[0].shape == pictures[1].shape
    right = [picture[60:-120, -300:-40] for picture in pictures]
    assert np.ptp(right[0]) == 0, "in frame 1 the memory holds frame 0 alone"
    assert np.ptp(right[1]) > 20, "in frame 7 it holds frame 5"


def test_one_object_one_query_and_the_frame_itself(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    limpet(
        "visualise", clip, "--mask", mask, "--weights", weights, "--frames", "1", "--no-video", "--out", "look",
        "--what", "query", "--object", 200, "--query", "30,40.5", "--kind", "self", "--layer", 0,
    ).succeeded()  # fmt: skip
    assert files_in(tmp_path / "look") == ["query/00001.png", "visualise.json"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--layer", 1), ("no layer 1", "has 1")),
        (("--kind", "short-term"), ("no 'short-term' attention map", "long-term and self")),
        (("--query", "65,10"), ("65,10 lies outside the frame", "65 wide and 49 high")),
        (("--query", "10"), ("--query is '10'", "X,Y")),
        (("--object", 9), ("no object 9", "7, 200")),
        (("--what", "maps,curves"), ("'curves'", "maps, points, query, grid, flow, sampling, scales")),
        (("--frames", "0,3"), ("frame 0 cannot be drawn", "begins with frame 1")),
        (("--frames", "a"), ("--frames is 'a'", "10,20")),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path, options: tuple[object, ...],
    words: tuple[str, ...],
) -> None:  # fmt: skip
    command = ("visualise", clip, "--mask", mask, "--weights", weights, "--out", "look")
    limpet(*command, *options).refused(*words)
    assert not (tmp_path / "look").exists()


def test_a_mask_of_another_size_can_be_fitted(
    limpet: Limpet, clip: Path, weights: Path, tmp_path: Path
) -> None:
    double = write_first_mask(tmp_path / "double.png", (2 * SIZE[0], 2 * SIZE[1]))
    command = ("visualise", clip, "--mask", double, "--weights", weights, "--out", "look", "--no-video")
    limpet(*command).refused("mask is 98x130 but the frame is 49x65", "pass --resize-mask")
    limpet(*command, "--resize-mask", "--frames", 1, "--what", "maps").succeeded()
    assert (tmp_path / "look/maps/00001.png").exists()


def test_a_frame_beyond_the_end_is_told_and_the_rest_is_drawn(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    command = ("visualise", clip, "--mask", mask, "--weights", weights, "--no-video", "--what", "maps")
    outcome = limpet(*command, "--frames", "2,40", "--out", "look")
    assert outcome.code == 2 and "frame 40 was not drawn: clip.mp4 has 8 frames, 0 to 7" in outcome.err
    assert files_in(tmp_path / "look") == ["maps/00002.png", "visualise.json"]
    limpet(*command, "--every", 50, "--out", "none").refused("nothing was drawn", "8 frames, 0 to 7")


def test_lists_on_the_command_line() -> None:
    assert parse_frames("10, 20") == (10, 20) and parse_frames(None) is None
    assert parse_query("3,4.5") == (3, 4.5) and parse_query(None) is None
    for text in ("1,2,3", "x,y", ""):
        with pytest.raises(VideoError):
            parse_query(text)
