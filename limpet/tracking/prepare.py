"""From a frame as the user has it to the normalised numbers that the network sees."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.tracking.sizes import DEVIATION, MEAN, resize_frame


def prepare_image(frame: NDArray[np.uint8], size: tuple[int, int], device: torch.device) -> Tensor:
    """Frame (H, W, 3) RGB 0..255 -> (1, 3, h, w) float32 of the network's size, normalised."""
    rows = torch.from_numpy(resize_frame(frame, size)).to(device).flatten(1)  # h w*3: long rows are fast
    mean = torch.tensor(MEAN, device=device).mul_(255).repeat(size[1])
    deviation = torch.tensor(DEVIATION, device=device).mul_(255).repeat(size[1])
    image = rows.sub_(mean).div_(deviation).view(*size, 3)  # channels last already
    return image.permute(2, 0, 1).unsqueeze(0)
