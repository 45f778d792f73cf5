"""What all adapters of the race share: their settings, the checkout that they import from, and the peer's tensors.

It imports nothing of limpet: it runs in the Python environment of the peer.

Shapes: H W pixels; h w of the network's input; N objects.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PeerSettings:
    """What an adapter is made from.

    checkout: folder of the peer; for limpet "" or an exported bundle. weights: a file, or "" for the peer's own choice.
    model: the peer's name or configuration of the model; "" for the usual one.
    device: "cpu" or "cuda". max_short: limit on the shorter side of the network's input in pixels.
    frames: number of frames of the video. objects: N. precision: "fp32", or "auto" for the peer's usual one.
    """

    checkout: str
    weights: str
    model: str
    device: str
    max_short: int
    frames: int
    objects: int
    precision: str


class PeerAdapter(Protocol):
    """What the race calls."""

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None: ...
    def step(self, frame: np.ndarray) -> np.ndarray: ...


def use_checkout(checkout: str) -> None:
    """Import from a checkout; what it writes into the current folder goes into one of its own."""
    if not checkout:
        raise SystemExit("this peer is run from a checkout of its code; add checkout=FOLDER")
    folder = Path(checkout).expanduser().resolve()
    if not folder.is_dir():
        raise SystemExit(f"there is no checkout {folder}")
    sys.path.insert(0, str(folder))
    os.chdir(tempfile.mkdtemp(prefix="race-"))


def normalised(frame: np.ndarray, max_short: int, device: str) -> Any:
    """Frame -> float (3, h, w) with ImageNet's mean and deviation, its shorter side at most ``max_short``."""
    import torch

    image = torch.from_numpy(frame).to(device).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(each, device=device)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD))
    scale = min(1.0, max_short / min(frame.shape[:2]))
    size = [round(side * scale) for side in frame.shape[:2]]
    resized = torch.nn.functional.interpolate(image[None], size, mode="bicubic", antialias=scale < 1)[0]
    return (resized - mean) / std


def planes_of(mask: np.ndarray, objects: int, size: Any, device: str) -> Any:
    """Mask -> float (N, 1, h, w), one plane for each object; what is beyond the mask is background."""
    import torch

    ids = torch.from_numpy(mask).to(device)
    planes = torch.stack([ids == number for number in range(1, objects + 1)]).float()[:, None]
    return torch.nn.functional.interpolate(planes, size=tuple(size), mode="nearest")


def as_ids(mask: Any) -> np.ndarray:
    return mask.cpu().numpy().astype(np.uint8)  # type: ignore[no-any-return]
