"""`limpet segment`: a first mask from clicks or a box, and what is said of options that make none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limpet.core.masks import read_mask, write_mask
from limpet.segment.clicks.click_config import MODEL
from limpet.segment.clicks.click_network import ClickNetwork
from limpet.weights.weights_file import Weights, write_weights

from .command import Limpet


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A click model that finds something everywhere."""
    path = tmp_path_factory.mktemp("model") / "click.safetensors"
    torch.manual_seed(0)
    network = ClickNetwork()
    network.out.bias.data.fill_(50)
    write_weights(path, Weights(MODEL, network.state_dict()))
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    picture = np.full((60, 80, 3), 30, np.uint8)
    picture[20:40, 30:60] = (200, 180, 90)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_click_makes_a_mask_and_a_view_of_it(
    limpet: Limpet, photo: Path, model: Path, tmp_path: Path
) -> None:
    command = (
        "segment",
        photo,
        "--point",
        "40,30",
        "--not-point",
        "5,5",
        "--segmenter",
        model,
        "--out",
        "m.png",
    )
    outcome = limpet(*command, "--view", "view.png")
    outcome.succeeded()
    assert outcome.out.startswith("object 1: 95.6% of 80x60 pixels -> m.png")
    mask = read_mask(tmp_path / "m.png")
    assert mask[5, 5] == 0 and mask[30, 40] == 1 and (mask[17:] == 1).all() and (mask[:, 17:] == 1).all()
    view = np.asarray(Image.open(tmp_path / "view.png"))
    assert (
        view.shape == (60, 80, 3)
        and tuple(view[30, 40]) == (47, 209, 107)
        and tuple(view[5, 5]) == (255, 82, 82)
    )
    limpet(*command).refused("m.png exists", "--overwrite")
    limpet(*command, "--overwrite").succeeded()


def test_a_box_needs_no_model(limpet: Limpet, photo: Path, tmp_path: Path) -> None:
    limpet("segment", photo, "--box", "25,15,65,45", "--out", "m.png", "--segmenter", "none").succeeded()
    mask = read_mask(tmp_path / "m.png")
    assert (mask[21:39, 31:59] == 1).all() and not mask[:15].any()


def test_another_object_joins_the_mask_that_there_is(limpet: Limpet, photo: Path, tmp_path: Path) -> None:
    known = np.zeros((60, 80), np.uint8)
    known[0:10, 0:10], known[50:60, 70:80] = 3, 2
    write_mask(tmp_path / "known.png", known)
    limpet(
        "segment", photo, "--box", "25,15,65,45", "--mask", "known.png", "--object", "2", "--out", "m.png"
    ).succeeded()
    mask = read_mask(tmp_path / "m.png")
    assert (mask[0:10, 0:10] == 3).all() and (mask[21:39, 31:59] == 2).all()
    assert not mask[50:60, 70:80].any(), "the box begins the object anew"


def test_a_frame_of_a_video(limpet: Limpet, clip: Path, model: Path, tmp_path: Path) -> None:
    command = ("segment", clip, "--point", "4,4", "--segmenter", model, "--out", "m.png")
    limpet(*command, "--at", "3").succeeded()
    assert read_mask(tmp_path / "m.png").any()
    limpet(*command, "--at", "99", "--overwrite").refused("has no frame 99", "--at")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("nothing shows the object", "--point X,Y", "--box X0,Y0,X1,Y1")),
        (("--point", "5"), ("--point is '5'", "expected X,Y")),
        (("--point", "a,b"), ("--point is 'a,b'",)),
        (("--box", "1,2,3"), ("--box is '1,2,3'", "expected X0,Y0,X1,Y1")),
        (("--box", "1,2,2,3"), ("the box has 1x1 pixels",)),
        (("--point", "500,5"), ("the click at 500,5 lies outside of the image of 80x60 pixels",)),
        (("--point", "5,5", "--segmenter", "none"), ("there is no model for clicks", "--segmenter FILES")),
        (("--point", "5,5", "--mask", "missing.png"), ("missing.png",)),
    ],
)
def test_what_makes_no_mask_is_said(
    limpet: Limpet, photo: Path, model: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    given = options if "--segmenter" in options else (*options, "--segmenter", model)
    limpet("segment", photo, "--out", "m.png", *given).refused(*words)


def test_names_of_pictures_are_checked_before_anything_is_done(limpet: Limpet) -> None:
    limpet("segment", "missing.jpg", "--point", "5,5", "--out", "m.jpg").refused("--out is m.jpg", ".png")
    limpet("segment", "missing.jpg", "--point", "5,5", "--out", "m.png").refused("missing.jpg does not exist")
