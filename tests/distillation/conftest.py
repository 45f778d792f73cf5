"""Two clips with first masks, and a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from networks import lively_model

from limpet.core.masks import write_mask

from .labelling import (
    Teacher,
    first_mask,
    make_frames,
)


@pytest.fixture(scope="module")
def model() -> Any:
    return lively_model()


@pytest.fixture
def teacher(model: Any) -> Teacher:
    return Teacher(model)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Frame folders cat and dog in footage/, and a mask for each in masks/."""
    (tmp_path / "masks").mkdir()
    for seed, name in enumerate(("cat", "dog")):
        make_frames(tmp_path / "footage" / name, seed=seed)
        write_mask(tmp_path / "masks" / f"{name}.png", first_mask(1))
    return tmp_path
