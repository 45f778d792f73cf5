"""Reads the official checkpoints of STCN: their names for what we call otherwise, and what has another form there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

# Official name -> ours, applied in this order.
RENAMES: tuple[tuple[str, str], ...] = (
    (r"^key_encoder\.res2\.", "encoder.layer1."),
    (r"^key_encoder\.", "encoder."),
    (r"^key_proj\.key_proj\.", "key_projection."),
    (r"^key_comp\.", "thin_projection."),
    (r"^value_encoder\.(?!fuser\.)", "value_encoder.encoder."),
    (r"^(value_encoder\.fuser\..*|decoder\..*)\.downsample\.", r"\1.shortcut."),
    (r"\.attention\.ChannelGate\.mlp\.1\.", ".attention.channel_gate.0."),
    (r"\.attention\.ChannelGate\.mlp\.3\.", ".attention.channel_gate.2."),
    (r"\.attention\.SpatialGate\.spatial\.conv\.", ".attention.spatial_gate."),
    (r"^decoder\.up_16_8\.", "decoder.up_8x."),
    (r"^decoder\.up_8_4\.", "decoder.up_4x."),
    (r"^(decoder\.up_[48]x)\.out_conv\.", r"\1.block."),
    (r"^decoder\.pred\.", "decoder.conv_out."),
)
MASK_CONV = "value_encoder.encoder.conv1.weight"
CHANNELS = 5
"""What MASK_CONV reads: the image, the object's mask, and the masks of all others."""
BIASES = re.compile(r"(value_encoder\.encoder\.(?:.*\.)?)(?:conv(\d)|downsample\.0)\.bias")


def is_stcn(names: Iterable[str]) -> bool:
    """Whether a state dict has the official names of STCN."""
    return any(name.removeprefix("module.").startswith("key_encoder.") for name in names)


def stcn_name(official: str) -> str:
    """The limpet name of an official parameter of STCN: ``decoder.pred.bias`` -> ``decoder.conv_out.bias``."""
    name = official.removeprefix("module.")
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def from_official_stcn(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """A state dict by limpet's names, and notes on what was not taken as it is, in sentences.

    The norms of the value encoder take in the biases of its convolutions, which changes no result; our residual
    networks have none.
    """
    named = {stcn_name(name): tensor for name, tensor in state.items()}
    tensors = {name: tensor for name, tensor in named.items() if not name.endswith("num_batches_tracked")}
    notes = []
    folded = _fold_biases(tensors)
    if folded:
        notes.append(
            f"the biases of {folded} convolutions of the value encoder went into the norms behind them, which gives "
            f"the same results"
        )
    weight = tensors.get(MASK_CONV)
    if weight is not None and weight.shape[1] == CHANNELS - 1:
        zeros = torch.zeros_like(weight[:, :1])
        tensors[MASK_CONV] = torch.cat([weight, zeros], dim=1)
        notes.append(
            "it is of stage 0 (still images), whose value encoder has 4 input channels: the masks of other objects "
            "get a fifth one of zeros; such weights are a start for training and track poorly as they are"
        )
    return tensors, tuple(notes)


def _fold_biases(tensors: dict[str, Tensor]) -> int:
    """Take the biases out of ``tensors`` and into the means of the norms; returns how many there were."""
    found = [match for name in tensors if (match := BIASES.fullmatch(name))]
    count = 0
    for match in found:
        mean = f"{match[1]}{f'bn{match[2]}' if match[2] else 'downsample.1'}.running_mean"
        if mean in tensors:
            tensors[mean] = tensors[mean] - tensors.pop(match[0])
            count += 1
    return count
