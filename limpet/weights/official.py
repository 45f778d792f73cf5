"""Reads the official checkpoints: their names for what we call by the papers' names.

The official layout, as its own code writes and reads it: a dict with ``state_dict`` (else ``model``, else the dict
itself), names with or without the prefix ``module.``. Unlike the official loader, which leaves initial values where
a name is missing, this one is strict: a file that does not fit is refused with the names that do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from limpet.errors import WeightsError

# Official name -> ours, applied in this order: what both families have, then what each has of its own.
SHARED_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^LSTT\.layers\.", "layers."),
    (r"^patch_wise_id_bank\.", "id_bank.patches."),
    (r"\.long_term_attn\.", ".long_term."),
    (r"\.short_term_attn\.", ".short_term."),
    (r"\.relative_emb_k\.", ".relative."),
    (r"^(decoder\..*)\.gn\.", r"\1.norm."),
)
DEAOT_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^LSTT\.decoder_norms\.0\.gn\.", "output_norm."),
    (r"^id_norm\.", "id_bank.norm."),
    (r"\.self_attn\.", ".self_propagation."),
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
)
AOT_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^LSTT\.decoder_norms\.", "output_norms."),
    (r"\.self_attn\.linear_Q\.", ".self_attention.query."),
    (r"\.self_attn\.linear_K\.", ".self_attention.key."),
    (r"\.self_attn\.linear_V\.", ".self_attention.value."),
    (r"\.self_attn\.", ".self_attention."),
    (r"\.relative_emb_v$", ".relative.value"),
    (r"\.linear_Q\.", ".query_key."),
    (r"\.linear_V\.", ".memory_value."),
    (r"\.norm1\.", ".self_norm."),
    (r"\.norm2\.", ".memory_norm."),
    (r"\.norm3\.", ".feed_forward_norm."),
    (r"\.linear1\.", ".feed_forward.expand."),
    (r"\.activation\.gn\.", ".feed_forward.norm."),
    (r"\.activation\.conv\.", ".feed_forward.depthwise."),
    (r"\.linear2\.", ".feed_forward.contract."),
)
Family = Literal["aot", "deaot"]
RENAMES: dict[Family, tuple[tuple[str, str], ...]] = {
    "aot": SHARED_RENAMES + AOT_RENAMES,
    "deaot": SHARED_RENAMES + DEAOT_RENAMES,
}
# Parts of ImageNet checkpoints that official files may carry and no model uses.
IGNORED = re.compile(r"num_batches_tracked$|^encoder\.(classifier|fc|head)\.")
# A parameter of AOT that the official code makes and saves but never reads.
UNUSED = {"aot": "LSTT.mask_token"}


def family_of(names: Iterable[str]) -> Family:
    """The family whose official state dict has these names; only AOT's blocks have a third norm."""
    return "aot" if any(re.search(r"\bLSTT\.layers\.\d+\.norm3\.", name) for name in names) else "deaot"


def our_name(official: str, family: Family = "deaot") -> str:
    """The limpet name of an official parameter, e.g. ``LSTT.layers.0.linear_U.bias`` -> ``layers.0.gate.bias``."""
    name = official.removeprefix("module.")
    if name.startswith("encoder."):
        return name
    for pattern, replacement in RENAMES[family]:
        name = re.sub(pattern, replacement, name)
    return name


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an official state dict; 1x1 convolutions that we hold as linear maps lose their last two axes."""
    renamed, family = {}, family_of(state)
    for official, tensor in state.items():
        name = our_name(official, family)
        if IGNORED.search(name) or name == UNUSED.get(family):
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
        raise WeightsError(f"{path} is not a checkpoint that can be read safely: {_reason(error)}") from error
    for part in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(part), dict):
            content = content[part]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path} holds no state dict of tensors; expected a checkpoint of AOT or DeAOT")
    return from_official(content)


def _reason(error: Exception) -> str:
    """Why torch refuses a file, in one sentence. Torch's own words tell people to run whatever is in it."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code:
        return f"it asks for {code[1]} to be run, which tensors have no need of; ask where it was published"
    return "it is damaged, or no file of torch.save; copy or download it again"
