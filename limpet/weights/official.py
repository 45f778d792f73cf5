"""Reads the official checkpoints: their names for what we call by the papers' names.

The official layout, as its own code writes and reads it: a dict with ``state_dict`` (else ``model``, else the dict
itself), names with or without the prefix ``module.``. Unlike the official loader, which leaves initial values where
a name is missing, this one is strict: a file that does not fit is refused with the names that do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limpet.errors import WeightsError

# Official name -> ours, applied in this order.
RENAMES: tuple[tuple[str, str], ...] = (
    (r"^LSTT\.decoder_norms\.0\.gn\.", "output_norm."),
    (r"^LSTT\.layers\.", "layers."),
    (r"^patch_wise_id_bank\.", "id_bank.patches."),
    (r"^id_norm\.", "id_bank.norm."),
    (r"\.long_term_attn\.", ".long_term."),
    (r"\.short_term_attn\.", ".short_term."),
    (r"\.self_attn\.", ".self_propagation."),
    (r"\.relative_emb_k\.", ".relative."),
    (r"\.dw_conv\.conv\.", ".depthwise."),
    (r"\.linear_QK\.", ".query_key."),
    (r"\.linear_QV\.", ".query_value."),
    (r"\.linear_V1\.", ".visual_value."),
    (r"\.linear_V2\.", ".id_value."),
    (r"\.linear_U1\.", ".visual_gate."),
    (r"\.linear_U2\.", ".id_gate."),
    (r"\.linear_U\.", ".gate."),
    (r"\.linear_ID_V\.", ".id_value."),
    (r"\.linear_ID_U\.", ".id_gate."),
    (r"\.id_norm1\.", ".id_norm."),
    (r"\.norm1\.", ".norm."),
    (r"\.id_norm2\.", ".self_id_norm."),
    (r"\.norm2\.", ".self_norm."),
    (r"^(decoder\..*)\.gn\.", r"\1.norm."),
)
# Parts of ImageNet checkpoints that official files may carry and no model uses.
IGNORED = re.compile(r"num_batches_tracked$|^encoder\.(classifier|fc|head)\.")


def our_name(official: str) -> str:
    """The limpet name of an official parameter, e.g. ``LSTT.layers.0.linear_U.bias`` -> ``layers.0.gate.bias``."""
    name = official.removeprefix("module.")
    if name.startswith("encoder."):
        return name
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an official state dict; 1x1 convolutions that we hold as linear maps lose their last two axes."""
    renamed = {}
    for official, tensor in state.items():
        name = our_name(official)
        if IGNORED.search(name):
            continue
        renamed[name] = tensor.flatten(1) if name.endswith("short_term.relative.weight") else tensor
    return renamed


def read_official(path: Path) -> dict[str, Tensor]:
    """Read an official ``.pth`` file without running any code in it.

    Returns:
        limpet's names -> tensors.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else than a checkpoint.
    """
    if not path.is_file():
        raise WeightsError(f"there is no checkpoint at {path}")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged or foreign files
        raise WeightsError(f"{path} is not a checkpoint that can be read safely: {error}") from error
    for part in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(part), dict):
            content = content[part]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path} holds no state dict of tensors; expected a checkpoint of AOT or DeAOT")
    return from_official(content)
