"""Reads the official checkpoints of AOT, DeAOT and STCN: their names for what we call by the papers' names.

The official layout, as its own code writes and reads it: a dict with ``state_dict`` (else ``model``, else the dict
itself), names with or without the prefix ``module.``; STCN's training puts ``network`` beside its optimizer. The
official training keeps averaged weights (EMA) in a folder of their own, ``ema_ckpt/``; other code puts them into the
same file under a name of their own. Unlike the official loader, which leaves initial values where a name is missing,
this one is strict: a file that does not fit is refused with the names that do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.weights.official_stcn import from_official_stcn, is_stcn, stcn_name

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
# Where the tensors may lie in a file. Averaged weights come first: they are what one evaluates.
AVERAGED = ("state_dict_ema", "ema_state_dict", "model_ema", "ema")
LAST = ("state_dict", "model", "network")
Family = Literal["aot", "deaot", "stcn"]
RENAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "aot": SHARED_RENAMES + AOT_RENAMES,
    "deaot": SHARED_RENAMES + DEAOT_RENAMES,
}
# Parts of ImageNet checkpoints that official files may carry and no model uses.
IGNORED = re.compile(r"num_batches_tracked$|^encoder\.(classifier|fc|head)\.")
# A parameter of AOT that the official code makes and saves but never reads.
UNUSED = {"aot": "LSTT.mask_token"}


def family_of(names: Iterable[str]) -> Family:
    """The family whose official state dict has these names; only AOT's blocks have a third norm."""
    names = list(names)
    if is_stcn(names):
        return "stcn"
    return "aot" if any(re.search(r"\bLSTT\.layers\.\d+\.norm3\.", name) for name in names) else "deaot"


def our_name(official: str, family: Family = "deaot") -> str:
    """The limpet name of an official parameter: ``LSTT.layers.0.linear_U.bias`` -> ``layers.0.gate.bias``."""
    if family == "stcn":
        return stcn_name(official)
    name = official.removeprefix("module.")
    if name.startswith("encoder."):
        return name
    for pattern, replacement in RENAMES[family]:
        name = re.sub(pattern, replacement, name)
    return name


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an official state dict; 1x1 convolutions that we hold as linear maps lose their last two axes."""
    renamed, family = {}, family_of(state)
    if family == "stcn":
        return from_official_stcn(state)[0]
    for official, tensor in state.items():
        name = our_name(official, family)
        if IGNORED.search(name) or name == UNUSED.get(family):
            continue
        renamed[name] = tensor.flatten(1) if name.endswith("short_term.relative.weight") else tensor
    return renamed


@dataclass(frozen=True)
class OfficialCheckpoint:
    """An official checkpoint, read.

    tensors: by limpet's names.
    part: where in the file they lay; "" is the file itself.
    notes: what else to know of the choice, in sentences.
    """

    tensors: dict[str, Tensor]
    part: str
    notes: tuple[str, ...] = ()


def read_official(path: Path) -> OfficialCheckpoint:
    """Read an official ``.pth`` file without running any code in it.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else than a checkpoint.
    """
    if not path.is_file():
        raise WeightsError(f"there is no checkpoint at {path}")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged or foreign files
        raise WeightsError(f"{path} is not a checkpoint that can be read safely: {_reason(error)}") from error
    if not isinstance(content, dict):
        content = {}
    inside = [name for name in AVERAGED + LAST if isinstance(content.get(name), dict)]
    found = {name: from_official(content[name]) for name in inside if _is_state(content[name])}
    if not inside and _is_state(content):
        found[""] = from_official(content)
    if not found:
        raise WeightsError(
            f"{path} holds no state dict of tensors; expected a checkpoint of AOT, DeAOT or STCN"
        )
    chosen = _choose(found, [name for name in inside if name not in found])
    return replace(chosen, notes=(*chosen.notes, *_stcn_notes(content, chosen.part)))


def _stcn_notes(content: Mapping[str, Any], part: str) -> list[str]:
    """What else to know of a checkpoint of STCN; nothing of others."""
    state = content[part] if part else content
    if not is_stcn(state):
        return []
    notes = list(from_official_stcn(state)[1])
    if "it" in content and part:
        notes.insert(
            0,
            f"it is a checkpoint of a training after {content['it']} iterations, of which the weights were taken",
        )
    return notes


def _choose(found: Mapping[str, dict[str, Tensor]], unread: Sequence[str]) -> OfficialCheckpoint:
    """The first of the state dicts; what an average leaves out (buffers, as a rule) is taken from the last weights."""
    part, tensors = next(iter(found.items()))
    notes = [f"its part {name!r} is not a state dict of tensors and was not read" for name in unread]
    last = next((name for name in LAST if name in found), None)
    if part in AVERAGED:
        notes.append(f"the averaged weights were taken, its part {part!r}")
        extra = found[last].keys() - tensors.keys() if last else ()
        if last and extra:
            tensors = found[last] | tensors
            notes.append(f"{len(extra)} tensors that were not averaged come from its part {last!r}")
    return OfficialCheckpoint(tensors, part, tuple(notes))


def _is_state(part: Mapping[str, Any]) -> bool:
    return len(part) > 0 and all(isinstance(value, Tensor) for value in part.values())


def _reason(error: Exception) -> str:
    """Why torch refuses a file, in one sentence. Torch's own words tell people to run whatever is in it."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code:
        return f"it asks for {code[1]} to be run, which tensors have no need of; ask where it was published"
    return "it is damaged, or not a file of torch.save; copy or download it again"
