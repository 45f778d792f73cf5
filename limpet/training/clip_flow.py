"""Optical flow of training clips, found as the tracker finds it, from the frames that the network sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.flow import find_flow, flow_between
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD
from limpet.core.tracker_protocol import FlowName
from limpet.models.base import Features


def with_flow(features: Sequence[Features], images: Tensor, flow: FlowName | None) -> list[Features]:
    """The features of the frames of clips, those after the first with flow, where it is found outside the network.

    Args:
        features: of T frames of B clips each.
        images: (T, B, 3, H, W) normalised.
        flow: of the model's configuration.
    """
    source = None if flow is None else find_flow(flow)
    if source is None:
        return list(features)
    height, width = images.shape[-2:]
    size = (height, width)
    views = [[source.view(frame, size) for frame in clips] for clips in pixels(images)]  # T B
    found = [features[0]]
    for index in range(1, len(features)):
        pairs = zip(views[index - 1], views[index], strict=True)
        planes = np.stack([flow_between(source, before, now, size).planes for before, now in pairs])
        found.append(features[index]._replace(flow=torch.from_numpy(planes).to(images.device)))
    return found


def pixels(images: Tensor) -> NDArray[np.uint8]:
    """Normalised (T, B, 3, H, W) -> uint8 RGB (T, B, H, W, 3)."""
    mean, std = (
        torch.tensor(each, device=images.device).view(3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD)
    )
    rgb = (images.detach().float() * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(rgb.permute(0, 1, 3, 4, 2).contiguous().cpu().numpy(), np.uint8)
