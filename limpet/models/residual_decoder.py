"""The decoder of STM and STCN, one object at a time: residual blocks and the encoder's maps on the way up.

Beside it is what MobileVOS may put in front of it, atrous spatial pyramid pooling (ASPP, section 4.2).

Legend: B batch; N objects; C channels; h w feature cells; H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.fused_convolution import rectified


def conv3x3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size of the map."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each after its ReLU, beside the input, which a third one widens where widths differ."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.shortcut: nn.Module = nn.Identity() if inputs == outputs else conv3x3(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        y: Tensor = self.conv2(rectified(self.conv1, F.relu(x)))
        return self.shortcut(x) + y  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """The map from below at twice its size, added to the encoder's map; then a residual block.

    Args:
        skip: channels of the encoder's map. inputs, outputs: of the map from below and of the result.
    """

    def __init__(self, skip: int, inputs: int, outputs: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.skip_conv = conv3x3(skip, inputs)
        self.block = ResidualBlock(inputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x (B*N, inputs, h/2, w/2) of every object and skip (B, skip, h, w) of the frame -> (B*N, outputs, h, w)."""
        shared = self.skip_conv(skip)  # once for all objects
        large = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=self.align_corners)
        objects = x.shape[0] // skip.shape[0]
        if objects > 1:
            shared = shared.repeat_interleave(objects, dim=0)
        y: Tensor = self.block(shared + large)
        return y


class Pyramid(nn.Module):
    """Convolutions of several dilations side by side, and one that joins them.

    In the form of the two papers that MobileVOS cites for it (RDE-VOS, SwiftNet): no norm, no pooling branch.
    """

    DILATIONS = (2, 4, 6)

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [nn.Conv2d(inputs, width, 1), *(conv3x3(inputs, width, d) for d in self.DILATIONS)]
        )
        self.join = conv3x3(width * len(self.branches), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        seen = torch.cat([rectified(branch, x) for branch in self.branches], dim=1)  # type: ignore[arg-type]
        return rectified(self.join, seen)


class ResidualDecoder(nn.Module):
    """From what an object read of the memory to its logit at stride 4.

    Args:
        inputs: channels of what is read and of the frame's own map, together.
        shortcuts: widths of the encoder's maps at strides 4 and 8.
        widths: of the decoder's maps at strides 16, 8 and 4.
        pyramid: ``width`` and ``outputs`` of a ``Pyramid`` in front; None for none.
    """

    def __init__(
        self,
        inputs: int,
        shortcuts: Sequence[int],
        widths: tuple[int, int, int],
        pyramid: tuple[int, int] | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        at_16, at_8, at_4 = widths
        self.pyramid: nn.Module = nn.Identity() if pyramid is None else Pyramid(inputs, *pyramid)
        self.compress = ResidualBlock(inputs if pyramid is None else pyramid[1], at_16)
        self.up_8x = Upsample(shortcuts[1], at_16, at_8, align_corners)
        self.up_4x = Upsample(shortcuts[0], at_8, at_4, align_corners)
        self.conv_out = conv3x3(at_4, 1)

    def representation(self, x: Tensor, at_4: Tensor, at_8: Tensor) -> Tensor:
        """What the last layer reads of every object.

        Args:
            x: (B*N, inputs, h, w), of every object.
            at_4, at_8: the encoder's maps (B, C, H/4, W/4) and (B, C, H/8, W/8) of the frame.

        Returns:
            (B*N, widths[2], H/4, W/4).
        """
        x = self.compress(self.pyramid(x))
        return F.relu(self.up_4x(self.up_8x(x, at_8), at_4))

    def forward(self, x: Tensor, at_4: Tensor, at_8: Tensor) -> Tensor:
        """The logit of every object, (B*N, 1, H/4, W/4); see ``representation`` for the arguments."""
        logits: Tensor = self.conv_out(self.representation(x, at_4, at_8))
        return logits
