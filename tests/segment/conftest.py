"""A few photos with masks, and weights of an untrained click model; made once, and only read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limpet.core.masks import write_mask
from limpet.segment.clicks.click_config import MODEL
from limpet.segment.clicks.click_network import ClickNetwork
from limpet.weights.weights_file import Weights, write_weights


def photo(seed: int, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipse on noise, and where it is."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    centre = rng.uniform(0.35, 0.65, 2) * (height, width)
    inside = ((y - centre[0]) / 22) ** 2 + ((x - centre[1]) / 30) ** 2 < 1
    image = rng.integers(0, 80, (height, width, 3)).astype(np.uint8)
    image[inside] += 150
    return image, inside


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of objects, two of them of one thing, and one of parts."""
    root = tmp_path_factory.mktemp("photos")
    for name in ("images", "masks"):
        (root / name).mkdir()
    names = ["coco_1", "coco_2", "duts_1", "icoseg_7_1", "icoseg_7_2", "car_1"]
    for seed, name in enumerate(names):
        image, inside = photo(seed)
        ids = inside.astype(np.uint8)
        if name.startswith("car"):
            ids[:, 64:] *= 2
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        write_mask(root / "masks" / f"{name}.png", ids)
    return root


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the click model as they are drawn."""
    path = tmp_path_factory.mktemp("click") / "click.safetensors"
    torch.manual_seed(0)
    write_weights(path, Weights(MODEL, ClickNetwork().state_dict()))
    return path
