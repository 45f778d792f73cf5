"""Reading safetensors files: states, weights and checkpoints all keep their facts in the header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from torch import Tensor


def read_tensors(path: Path | str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header's facts and the tensors by name, on the CPU, as they were stored.

    Raises:
        SafetensorError, OSError: not a whole safetensors file, or not to be read; callers say what it should have been.
    """
    with safe_open(path, "pt") as file:
        facts: Mapping[str, str] = file.metadata() or {}
        return dict(facts), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
