"""Motion as a network sees it: optical flow on the grids of its features, and embedded for queries and keys (DeVOS).

Flow is a hint: no gradient reaches what made it. It comes from outside (``limpet.core.flow``) or, with ``match_flow``,
from the features themselves.

Two grids lie over a frame: the fine one of feature cells, and a coarse one whose cell (i, j) is centred on cell
(2i, 2j) of the fine one, whatever their sizes.

Legend: B batch; M tokens of a grid; C channels; h w fine cells; H W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.attention import MASKED_LOGIT
from limpet.models.blocks import as_plane, as_tokens
from limpet.models.deformable import reference_points, sample_tokens

STRIDE = 16  # of the fine grid, in pixels
FLOW_STRIDE = 4  # of flow that comes from outside
MATCH_RADIUS = 7  # cells that match_flow looks away, as far as the short-term window of AOT
MATCH_SHARPNESS = 30.0  # a cosine that is better by 0.1 has 20 times the weight


class Motion(NamedTuple):
    """What a frame knows of its motion, fine grid first.

    to_previous: float32 (B, M, 2): for each cell (down, right) to where it was in the previous frame, in fine cells.
    query: (B, M, C), flow to the previous frame, embedded. key: (B, M, C), that of the previous frame to this one.
    """

    to_previous: tuple[Tensor, Tensor]
    query: tuple[Tensor, Tensor]
    key: tuple[Tensor, Tensor]


class FlowEncoder(nn.Module):
    """Embeds flow, how large it is and how far it is from leading back; three convolutions, from stride 4 to 16.

    Args:
        channels: C.
        align_corners: how the grid at stride 16 lies on that at stride 4.
    """

    def __init__(self, channels: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.layers = nn.Sequential(
            nn.Conv2d(4, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(64, channels, 3, padding=1),
        )

    def forward(self, flow: Tensor) -> Motion:
        """Flow (B, 4, H/4, W/4) in pixels, see ``limpet.core.flow.Flow`` -> Motion."""
        flow = flow.detach().float() / STRIDE  # in fine cells
        error = inconsistency(flow * (STRIDE / FLOW_STRIDE)) / (STRIDE / FLOW_STRIDE)  # B 2 H/4 W/4
        size = torch.stack([flow[:, :2].norm(dim=1), flow[:, 2:].norm(dim=1)], dim=1)
        each = torch.cat([flow.unflatten(1, (2, 2)), error.unsqueeze(2), size.unsqueeze(2)], dim=2)  # B 2 4 …
        dtype = next(self.layers.parameters()).dtype
        embedded = self.layers(each.flatten(0, 1).to(dtype)).unflatten(0, (-1, 2))  # B 2 C h w
        forward, backward = embedded.unbind(dim=1)
        near = self._on_cells(flow[:, :2])
        return Motion(
            (as_tokens(near), as_tokens(to_coarse(near))),
            (as_tokens(forward), as_tokens(to_coarse(forward))),
            (as_tokens(backward), as_tokens(to_coarse(backward))),
        )

    def _on_cells(self, flow: Tensor) -> Tensor:
        """The mean over each cell: (B, 2, H/4, W/4) -> (B, 2, h, w)."""
        if self.align_corners:
            return F.avg_pool2d(flow, 5, stride=4, padding=2, count_include_pad=False)
        return F.avg_pool2d(flow, 4)


def coarse_size(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of the coarse grid under a fine one."""
    return -(-size[0] // 2), -(-size[1] // 2)


def to_coarse(plane: Tensor) -> Tensor:
    """(B, C, h, w) -> the mean of the 3x3 cells around each cell of the coarse grid."""
    return F.avg_pool2d(plane, 3, stride=2, padding=1, count_include_pad=False)


def to_fine(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """A plane on the coarse grid (B, C, ceil(h/2), ceil(w/2)) -> (B, C, h, w), bilinear; the border is continued."""
    height, width = plane.shape[-2:]
    padded = F.pad(plane, (0, 1, 0, 1), mode="replicate")
    twice = F.interpolate(padded, size=(2 * height + 1, 2 * width + 1), mode="bilinear", align_corners=True)
    return twice[..., : size[0], : size[1]]


def inconsistency(flow: Tensor) -> Tensor:
    """How far flow there and back ends from where it began.

    Args:
        flow: float32 (B, 4, h, w), (down, right) there and (down, right) back, in cells of its own grid.

    Returns:
        (B, 2, h, w) in cells: for places of the one frame, and of the other.
    """
    height, width = flow.shape[-2:]
    size = (height, width)
    there, back = as_tokens(flow[:, :2]), as_tokens(flow[:, 2:])
    own = reference_points(size, 1, flow.device)
    errors = [
        (way + sample_tokens(other, (own + way).unsqueeze(1), size)).norm(dim=-1).unflatten(1, size)
        for way, other in ((there, back), (back, there))
    ]
    return torch.stack(errors, dim=1)


@torch.no_grad()
def match_flow(
    current: Tensor, previous: Tensor, size: tuple[int, int], enlarged: torch.Size, align_corners: bool
) -> Tensor:
    """Flow from features alone: where in a window of the other frame each cell finds what looks like it.

    The mean place is taken, each weighted by the softmax of how alike it is, and then a median of 3x3 cells.

    Args:
        current, previous: tokens of both frames (B, M, C).
        size: (h, w).
        enlarged: (H/4, W/4), of the result. align_corners: how the grid at stride 16 lies on that at stride 4.

    Returns:
        float32 (B, 4, H/4, W/4) in pixels, as flow from outside is.
    """
    one, other = (
        F.normalize(tokens - tokens.mean(dim=2, keepdim=True), dim=2) for tokens in (current, previous)
    )
    alike = (one @ other.transpose(1, 2)).float() * MATCH_SHARPNESS + _window(size, one.device)  # B M M
    own = reference_points(size, 1, one.device)
    ways = [rows.softmax(dim=-1) @ own - own for rows in (alike, alike.transpose(1, 2))]
    flow = torch.cat([median_3x3(as_plane(way, size)) for way in ways], dim=1)  # B 4 h w
    return F.interpolate(flow * STRIDE, size=tuple(enlarged), mode="bilinear", align_corners=align_corners)


def _window(size: tuple[int, int], device: torch.device) -> Tensor:
    """float32 (M, M): MASKED_LOGIT where two cells are more than MATCH_RADIUS apart along an axis, else 0."""
    far_rows, far_columns = (
        (torch.arange(side, device=device)[:, None] - torch.arange(side, device=device)).abs() > MATCH_RADIUS
        for side in size
    )
    far = far_rows[:, None, :, None] | far_columns[None, :, None, :]  # h w h w
    return far.flatten(2).flatten(0, 1).float() * MASKED_LOGIT


def median_3x3(plane: Tensor) -> Tensor:
    """(B, C, h, w) -> the median of the 3x3 cells around each cell; the border is continued.

    Of the columns of three: the median of the largest minimum, the median of medians and the smallest maximum.
    """
    padded = F.pad(plane, (1, 1, 1, 1), mode="replicate")
    a, b, c = padded[:, :, :-2], padded[:, :, 1:-1], padded[:, :, 2:]  # rows above, at and below
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    least, most = torch.minimum(low, c), torch.maximum(high, c)
    middle = torch.maximum(low, torch.minimum(high, c))

    def around(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x[..., :-2], x[..., 1:-1], x[..., 2:]

    (l0, l1, l2), (m0, m1, m2) = around(least), around(most)
    largest_least = torch.maximum(torch.maximum(l0, l1), l2)
    smallest_most = torch.minimum(torch.minimum(m0, m1), m2)
    return _median_of_three(largest_least, _median_of_three(*around(middle)), smallest_most)


def _median_of_three(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
