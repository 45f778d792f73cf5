"""Reads the reference outputs, and re-creates the made-up weights that they were computed with.

from golden import clip, golden_state, golden_weights, normalise
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

ATOL = 2e-4  # the difference between two builds' kernels, with a margin (golden/README.md section 6)
IMAGENET_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
SPREAD = np.array((0.229, 0.224, 0.225), np.float32)
Manifest = Mapping[str, Any]


class Clip(NamedTuple):
    """frames (T, H, W, 3) uint8 RGB; masks (T, H, W) uint8, 0 is background."""

    frames: np.ndarray
    masks: np.ndarray


def golden_folder() -> Path:
    """The folder of reference outputs; skips the test without it."""
    shared = Path(os.environ.get("LIMPET_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (shared / "golden").is_dir():
        pytest.skip(f"needs the reference outputs in {shared / 'golden'}, which are not here")
    return shared / "golden"


def clip(name: str) -> Clip:
    """The input clip ``name`` (for instance "clip_a_129x225_3obj")."""
    with np.load(golden_folder() / "clips" / f"{name}.npz") as data:
        return Clip(data["frames"], data["masks"])


def normalise(frames: np.ndarray) -> Tensor:
    """Frames (T, H, W, 3) uint8 as network inputs (T, 3, H, W) float32."""
    scaled = (frames.astype(np.float32) / np.float32(255) - IMAGENET_MEAN) / SPREAD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def manifest_of(folder: Path) -> dict[str, Any]:
    """A model's manifest, given its folder (``golden_folder() / "deaott"``)."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    """All arrays of ``<folder>/<name>.npz`` (for instance "mid_a")."""
    with np.load(folder / f"{name}.npz") as data:
        return {key: data[key] for key in data.files}


def thinned(folder: Path, name: str, key: str, tensor: Tensor) -> Tensor:
    """The channels of ``tensor`` (B, C, h, w) that ``<name>.npz`` stores under ``key``."""
    stride = json.loads((folder / f"{name}.json").read_text())[key]["channel_stride"]
    return tensor[:, ::stride]


def golden_weights(folder: Path, left_as_built: Mapping[str, Tensor] = {}) -> dict[str, Tensor]:
    """The whole state dict of the model in ``folder``, overridden biases included.

    ``left_as_built``: the model's own tensors (or its state dict) for the keys that have no rule.
    """
    return golden_state(manifest_of(folder), left_as_built=left_as_built)


def golden_state(
    manifest: Manifest, prefix: str = "", *, left_as_built: Mapping[str, Tensor] = {}
) -> dict[str, Tensor]:
    """The made-up weights whose key starts with ``prefix`` (kept in the keys), checked against the manifest.

    Keys that are left as the model builds them are absent unless ``left_as_built`` holds them.
    """
    state = {}
    for key, facts in manifest["keys"].items():
        if not key.startswith(prefix):
            continue
        if key in manifest["left_as_built"]:
            if key not in left_as_built:
                continue
            value = left_as_built[key].clone()
        elif key in manifest["override"]:
            value = torch.tensor(manifest["override"][key], dtype=torch.float32)
        else:
            value = _made_up(key, facts)
        _check(key, value, facts)
        state[key] = value
    return state


def _made_up(key: str, facts: Mapping[str, Any]) -> Tensor:
    """The rules of golden/README.md section 2."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    shape = tuple(facts["shape"])
    u = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).random(shape)
    return torch.from_numpy(np.asarray(_rule(key, u, facts["gain"]), np.float32))


def _rule(key: str, u: np.ndarray, gain: float | None) -> np.ndarray:
    s = 2 * u - 1
    simple = {
        "running_mean": 0.2 * s,
        "running_var": 0.5 + u,
        "mask_token": s,
        "relative_emb_v": 0.5 * s,
        "relative_position_bias_table": s,
        "bias": 0.1 * s,
    }
    for ending, value in simple.items():
        if key.endswith(ending):
            return value
    if u.ndim == 1:
        return 0.8 + 0.4 * u
    assert gain is not None, f"the manifest gives no gain for {key}"
    return _stcn_boost(key, s * math.sqrt(3) * gain / math.sqrt(math.prod(u.shape[1:])))


def _stcn_boost(key: str, value: np.ndarray) -> np.ndarray:
    if key == "value_encoder.conv1.weight":
        value[:, 3:5] *= 6
    if key in ("value_encoder.fuser.block1.conv1.weight", "value_encoder.fuser.block1.downsample.weight"):
        value[:, :256] *= 4
    return value


def _check(key: str, value: Tensor, facts: Mapping[str, Any]) -> None:
    double = value.double().flatten()
    assert list(value.shape) == facts["shape"], f"{key}: {tuple(value.shape)} is not {facts['shape']}"
    assert double[:3].tolist() == pytest.approx(facts["first"], rel=1e-6), f"{key}: other first values"
    assert double.sum().item() == pytest.approx(facts["sum"], rel=1e-7, abs=1e-6), f"{key}: another sum"
    assert double.abs().sum().item() == pytest.approx(facts["abs_sum"], rel=1e-9), f"{key}: another size"
