"""Which pixels are compared: those near the outlines of objects (MobileVOS, section 3.3).

The paper finds outlines in the masks with a Sobel filter, and leaves open how wide the band is and how many pixels are
taken of it. Here the band is the outline, widened by a radius; of more cells than a limit a random part is taken.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def near_outline(inside: Tensor, radius: int) -> Tensor:
    """Which pixels are at most ``radius`` pixels, counted along rows and columns, from an outline.

    The border of the frame is not an outline.

    Args:
        inside: bool (B, N, H, W), where each object is.

    Returns:
        bool (B, N, H, W).
    """
    planes = inside.flatten(0, 1)[:, None].float()  # B*N 1 H W
    smooth, slope = planes.new_tensor([1.0, 2.0, 1.0]), planes.new_tensor([-1.0, 0.0, 1.0])
    sobel = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]  # 2 1 3 3
    gradients = F.conv2d(F.pad(planes, (1, 1, 1, 1), mode="replicate"), sobel)
    edges = (gradients != 0).any(dim=1).float()[:, None]  # the magnitude is above 0
    band = F.max_pool2d(edges, 2 * radius + 1, stride=1, padding=radius)
    return band.bool().view_as(inside)


def draw(candidates: Tensor, counts: Tensor) -> Tensor:
    """A random choice of cells, by torch's random generator.

    Args:
        candidates: bool (..., H, W). counts: int64 (...), how many of them to take.

    Returns:
        bool (..., H, W); all candidates where there are fewer.
    """
    free = candidates.flatten(-2)
    order = torch.rand(free.shape, device=free.device) + ~free  # candidates come first
    ranks = order.argsort(dim=-1).argsort(dim=-1)
    return (free & (ranks < counts[..., None])).view_as(candidates)


def sample_cells(inside: Tensor, sampling: str, radius: int, most: int | None = None) -> Tensor:
    """The cells of each object that are compared.

    Args:
        inside: bool (B, N, H, W), where each object is.
        sampling: "boundary": near its outline; "random": as many, anywhere in the frame; "all".
        radius: of the band around outlines, in cells.
        most: the largest number of cells of an object in a frame, for "boundary" and "random"; None: no limit.

    Returns:
        bool (B, N, H, W). Of an object without an outline, which is out of sight or fills the frame, no cell is taken,
        unless it is "all".
    """
    if sampling == "all":
        return torch.ones_like(inside)
    near = near_outline(inside, radius)
    counts = near.flatten(-2).sum(dim=-1)  # B N
    if most is not None:
        counts = counts.clamp_max(most)
    return draw(near if sampling == "boundary" else torch.ones_like(near), counts)
