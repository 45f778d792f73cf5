"""What all tests share: where the reference material lies, and quiet, repeatable torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference outputs and data beside the checkout (or at $LIMPET_SHARED); skips without it."""
    folder = Path(os.environ.get("LIMPET_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the reference material in {folder}, which is not here")
    return folder
