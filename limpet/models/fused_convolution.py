"""A convolution with the ReLU behind it in one pass over memory, where oneDNN computes it.

Both are the same numbers. A ReLU by itself reads and writes the whole map once more, which at the first strides of an
encoder takes as long as the convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def in_one_pass(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether ``rectified`` computes both at once: on a CPU in float32, without gradients and without being captured.

    A convolution that somebody watches (``register_forward_hook``) is called by itself.
    """
    return (
        type(conv) is nn.Conv2d
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not conv._forward_hooks
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def rectified(conv: nn.Conv2d, x: Tensor, most: float | None = None) -> Tensor:
    """ReLU of a convolution: (B, C, h, w) -> (B, C', h', w') from 0 on, or from 0 to ``most``."""
    if not in_one_pass(conv, x):
        y = conv(x)
        return F.relu(y) if most is None else F.hardtanh(y, 0.0, most)
    activation, bounds = ("relu", []) if most is None else ("hardtanh", [0.0, most])
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x,
        conv.weight,
        conv.bias,
        conv.padding,
        conv.stride,
        conv.dilation,
        conv.groups,
        activation,
        bounds,
        "",
    )
    return found
