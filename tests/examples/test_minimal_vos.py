"""The example in one file gives the library's masks, and needs nothing of the library."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import limpet
from limpet.core.masks import davis_palette
from limpet.core.sizes import SizeRule
from limpet.demo.demo_clip import demo_video, first_mask
from limpet.tracking.load import ENLARGE
from limpet.video.open import open_video

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal_vos.py"
SHORT_SIDE, NETWORK_SIZE = 160, (161, 289)
EVERY, COUNT = 4, 7
"""Every fourth frame, so that the objects move, meet and hide one another."""


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("minimal_vos", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    with open_video(demo_video()) as video:
        frames = [frame.image for frame in video if frame.image is not None]
    return frames[: EVERY * COUNT : EVERY]


def test_masks_equal_the_librarys(example: ModuleType, clip: list[np.ndarray]) -> None:
    mask = first_mask()
    tracker = limpet.load(device="cpu", precision="fp32", max_size=SHORT_SIDE, memory="first")
    state = tracker.start(clip[0], mask)
    assert state.network_size == NETWORK_SIZE
    slots = torch.from_numpy(mask).long()
    found = list(example.track(example.Network(), map(Image.fromarray, clip), slots, NETWORK_SIZE))
    assert len(found) == COUNT - 1
    for index, (frame, ours) in enumerate(zip(clip[1:], found, strict=True), start=1):
        expected, state = tracker.step(frame, state)
        assert set(np.unique(expected)) == {0, 1, 2, 3}
        assert (expected != ours.numpy()).mean() < 1e-5, f"frame {index}"  # a pixel or none: near-ties


@pytest.mark.parametrize("size", [(480, 854), (288, 512), (240, 432), (1080, 1920), (854, 480), (400, 2000)])
def test_the_networks_size_is_the_librarys(size: tuple[int, int], example: ModuleType) -> None:
    assert example.network_size(*size) == SizeRule(enlarge=ENLARGE).network_size(*size)


def test_the_command_keeps_ids_and_palette(
    example: ModuleType, clip: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "SHORT_SIDE", SHORT_SIDE)
    (tmp_path / "frames").mkdir()
    for index, frame in enumerate(clip[:3]):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{index:05d}.png")
    ids = np.array([0, 7, 90, 255], np.uint8)[first_mask()]
    first = Image.fromarray(ids, "L").convert("P")
    first.putdata(ids.ravel())
    first.putpalette(davis_palette().tobytes())
    first.save(tmp_path / "first.png")
    example.main(str(tmp_path / "frames"), str(tmp_path / "first.png"), str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00001.png", "00002.png"]
    with Image.open(tmp_path / "out" / "00002.png") as result:
        assert result.mode == "P" and result.getpalette() == first.getpalette()
        assert set(np.unique(np.array(result))) == {0, 7, 90, 255}


def test_it_is_one_short_file_without_the_library() -> None:
    text = EXAMPLE.read_text()
    imported = [
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert set(imported) == {"sys", "pathlib", "torch", "PIL", "safetensors"}
    assert len(text.splitlines()) < 300
