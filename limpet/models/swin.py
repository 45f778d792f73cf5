"""Swin Transformer (Liu et al., 2021), its first three stages as an image encoder of output stride 16.

Inside, maps are (B, h, w, C): attention and norms work on the last dimension.

Legend: B batch; C channels; h w feature cells; H W pixels; ``windows`` windows of a map and ``cells`` of each window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from limpet.core.errors import ModelError
from limpet.models.blocks import DropPath
from limpet.models.frozen_norm import freeze


@dataclass(frozen=True)
class SwinConfig:
    """The sizes of a Swin Transformer; the defaults are Swin-B without its last stage.

    Attributes:
        width: channels of the first stage; each further stage has twice as many.
        depths: blocks of each of the three stages.
        heads: attention heads of each stage; they must divide the stage's channels.
        window: side of the attention windows, in cells.
        drop_path: probability that the last block's branches are skipped for a sample in training; it
            grows linearly from 0 at the first block.
    """

    width: int = 128
    depths: tuple[int, int, int] = (2, 2, 18)
    heads: tuple[int, int, int] = (4, 8, 16)
    window: int = 7
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        for stage, heads in enumerate(self.heads):
            if self.width * 2**stage % heads:
                raise ModelError(
                    f"stage {stage} has {self.width * 2**stage} channels, which {heads} heads cannot share "
                    "evenly; change width or heads"
                )
        if not 0 <= self.drop_path < 1:
            raise ModelError(f"drop_path must be in [0, 1), not {self.drop_path}")


class SwinB(nn.Module):
    """Four feature maps of an image; state-dict names are those of the published weights.

    Args:
        freeze_at: number of stages without gradient, see ``freeze``.
        config: other sizes than Swin-B's.
    """

    def __init__(self, freeze_at: int = 0, config: SwinConfig | None = None) -> None:
        super().__init__()
        config = config or SwinConfig()
        widths = [config.width * 2**stage for stage in range(3)]
        self.channels: tuple[int, int, int, int] = (widths[0], widths[1], widths[2], widths[2])
        self.patch_embed = PatchEmbedding(config.width)
        last = max(sum(config.depths) - 1, 1)
        rates = (config.drop_path * block / last for block in range(last + 1))
        self.layers = nn.ModuleList()
        for width, heads, depth in zip(widths, config.heads, config.depths, strict=True):
            drop_paths = [next(rates) for _ in range(depth)]
            self.layers.append(SwinStage(width, heads, config.window, drop_paths, merge=width < widths[-1]))
        self.norm0, self.norm1, self.norm2 = (nn.LayerNorm(width) for width in widths)
        self.apply(_initialise)
        freeze(self, freeze_at)

    def stages(self) -> Sequence[nn.Module]:
        """The patch embedding and the stages at strides 4, 8, 16, each with the merging that follows it."""
        return [self.patch_embed, *self.layers]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps with ``channels`` channels at strides 4, 8, 16, 16; the last two are the same tensor.

        Args:
            image: (B, 3, H, W) float, ImageNet-normalised RGB; sizes that are not multiples of 16 are padded
                with zeros at the right and bottom, so that halves are rounded up.
        """
        x = self.patch_embed(image)
        maps = []
        for stage, norm in zip(self.layers, (self.norm0, self.norm1, self.norm2), strict=True):
            x, following = stage(x)
            maps.append(norm(x).permute(0, 3, 1, 2))  # (B, C, h, w), channels last in memory
            x = following
        quarter, eighth, sixteenth = maps
        return quarter, eighth, sixteenth, sixteenth


class PatchEmbedding(nn.Module):
    """A linear map of each 4x4 patch, then a norm: (B, 3, H, W) -> (B, H/4, W/4, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 4, stride=4)
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        H, W = image.shape[-2:]
        x: Tensor = self.proj(F.pad(image, (0, -W % 4, 0, -H % 4)))
        x = self.norm(x.permute(0, 2, 3, 1))
        return x


class SwinStage(nn.Module):
    """Blocks at one stride, every second one with shifted windows, and the merging into the next stride."""

    def __init__(self, width: int, heads: int, window: int, drop_paths: Sequence[float], merge: bool) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList(SwinBlock(width, heads, window, rate) for rate in drop_paths)
        self.downsample = PatchMerging(width) if merge else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h, w, C) -> the stage's output of the same shape, and the next stage's input."""
        h, w = x.shape[1:3]
        apart = shift_mask(h + -h % self.window, w + -w % self.window, self.window, x.device)
        for index, block in enumerate(self.blocks):
            x = block(x, apart if index % 2 else None)
        return x, x if self.downsample is None else self.downsample(x)


class PatchMerging(nn.Module):
    """Each 2x2 group of cells becomes one cell of twice the channels: (B, h, w, C) -> (B, h/2, w/2, 2C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        # The order of the four cells is that of the published weights: down the first column, then the next.
        cells = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        y: Tensor = self.reduction(self.norm(torch.cat(cells, dim=-1)))
        return y


class SwinBlock(nn.Module):
    """Window attention and a feed-forward network, each with a norm before it and a shortcut around it."""

    def __init__(self, width: int, heads: int, window: int, drop_path: float) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = SwinMLP(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        """(B, h, w, C) -> same; with ``apart`` (see ``shift_mask``) windows are shifted by half a side."""
        x = x + self.drop_path(self._attend(self.norm1(x), apart))
        output: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return output

    def _attend(self, x: Tensor, apart: Tensor | None) -> Tensor:
        h, w = x.shape[1:3]
        side, shift = self.window, self.window // 2 if apart is not None else 0
        x = F.pad(x, (0, 0, 0, -w % side, 0, -h % side))  # the padding takes part in attention
        padded = x.shape
        windows = to_windows(torch.roll(x, (-shift, -shift), (1, 2)) if shift else x, side)
        x = from_windows(self.attn(windows, apart), side, padded)
        x = torch.roll(x, (shift, shift), (1, 2)) if shift else x
        return x[:, :h, :w]


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a learned bias for each offset of two cells."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", _offset_index(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        """x (B * windows, cells, C), apart (windows, cells, cells) bool: pairs that must not attend."""
        count, cells, C = x.shape
        # (3, B * windows, heads, cells, C / heads)
        q, k, v = self.qkv(x).reshape(count, cells, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]
        if apart is not None:
            bias = bias.masked_fill(apart[:, None], float("-inf"))  # (windows, heads, cells, cells)
            bias = bias.repeat(count // len(apart), 1, 1, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        projected: Tensor = self.proj(y.transpose(1, 2).reshape(count, cells, C))
        return projected


class SwinMLP(nn.Module):
    """Two linear layers with GELU between; the inner width is four times the outer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return y


def to_windows(x: Tensor, side: int) -> Tensor:
    """(B, h, w, C) -> (B * windows, side * side, C); h and w are multiples of ``side``."""
    B, h, w, C = x.shape
    x = x.reshape(B, h // side, side, w // side, side, C).transpose(2, 3)
    return x.reshape(-1, side * side, C)


def from_windows(x: Tensor, side: int, shape: Sequence[int]) -> Tensor:
    """The inverse of ``to_windows``; ``shape`` is the map's (B, h, w, C)."""
    B, h, w, C = shape
    x = x.reshape(B, h // side, w // side, side, side, C).transpose(2, 3)
    return x.reshape(B, h, w, C)


def shift_mask(h: int, w: int, side: int, device: torch.device) -> Tensor:
    """(windows, side * side, side * side) bool: true where only the cyclic shift made two cells meet."""
    rows, columns = (_regions(length, side, device) for length in (h, w))
    region = to_windows((3 * rows[:, None] + columns)[None, :, :, None], side).squeeze(-1)
    return region[:, :, None] != region[:, None, :]


def _regions(length: int, side: int, device: torch.device) -> Tensor:
    """(length,) 0, 1 or 2: before the last window, in it, and in its part that came from the other end."""
    cell = torch.arange(length, device=device)
    return (cell >= length - side).long() + (cell >= length - side // 2).long()


def _offset_index(window: int) -> Tensor:
    """(cells, cells) int64: the row of the bias table for each pair (query, key) of a window's cells."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    row, column = row.flatten(), column.flatten()
    down, right = row[:, None] - row + window - 1, column[:, None] - column + window - 1
    return down * (2 * window - 1) + right


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
