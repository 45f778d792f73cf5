"""From an official checkpoint to a weights file of limpet: every name and shape is checked on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from limpet.core.errors import Option, WeightsError
from limpet.core.files import check_free
from limpet.registry import find
from limpet.weights.identify import BUILT, ModelMatch, describe_matches, match_models, model_tensors
from limpet.weights.official import read_official
from limpet.weights.weights_file import Weights, compare, sha256, write_weights
from limpet.weights.zoo import OFFICIAL_NAMES


@dataclass(frozen=True)
class Converted:
    """What was written, for which model, its sha256, and notes for the user."""

    path: Path
    model: str
    sha256: str
    notes: tuple[str, ...]


def convert(
    checkpoint: Path,
    model: str | None = None,
    out: Path | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
    command: str = "",
) -> Converted:
    """Convert an official checkpoint of AOT, DeAOT or STCN; no code in it is run.

    Args:
        model: which model it is for; None finds out from the tensors, and from the file's name where models share them.
        out: what to write; None is ``MODEL.safetensors`` beside the checkpoint.
        dtype: of what is written.
        command: the command that made it, which is kept in the file's header.

    Raises:
        ModelError: unknown model.
        WeightsError: the checkpoint cannot be read or does not fit (its notes list everything that does not), or
            ``model`` is None and the tensors do not show which model it is.
        OutputError: the file exists, or cannot be written.
    """
    if model is not None:
        find(model)
        check_free(_target(checkpoint, model, out), overwrite)
    content = read_official(checkpoint)
    if model is None:
        model = which_model(checkpoint, match_models(content.tensors))
        check_free(_target(checkpoint, model, out), overwrite)
    tensors = fitting(checkpoint, model, content.tensors)
    facts = {"origin": checkpoint.name, "origin_sha256": sha256(checkpoint), "origin_part": content.part}
    facts |= {"command": command} if command else {}
    target = _target(checkpoint, model, out)
    digest = write_weights(target, Weights(model, tensors, facts), dtype)
    return Converted(target, model, digest, (*content.notes, *_average_elsewhere(checkpoint)))


def which_model(checkpoint: Path, found: Sequence[ModelMatch]) -> str:
    """The model whose tensors were found. Raises WeightsError where that is none, or more than one."""
    names = found[0].models if found[0].share == 1 else ()
    if len(names) > 1:  # the official files are named after their models
        names = tuple(name for name in names if _is_named_after(checkpoint, name)) or names
    if len(names) == 1:
        return names[0]
    choice = f"say which with --model {' or '.join(names)}" if names else "name the model with --model NAME"
    raise WeightsError(f"{checkpoint}: {describe_matches(found)}; {choice}")


def fitting(checkpoint: Path, model: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` and the index tables that follow from the model. Raises WeightsError when they do not fit it."""
    from limpet.models import build_model

    expected = model_tensors(model)
    absent = any(name.endswith(BUILT) and name not in tensors for name in expected)
    built = build_model(find(model).config()).state_dict() if absent else {}
    whole = {name: tensor for name, tensor in built.items() if name.endswith(BUILT)} | tensors
    fit = compare(expected, whole)
    if fit:
        return whole
    best, *_ = found = match_models(tensors)
    if best.share == 1 and model not in best.models:
        raise WeightsError(
            f"{checkpoint} is a checkpoint of {' or '.join(best.models)}, not of {model}; pass ",
            Option("model", best.models[0]),
        )
    missing, unexpected, reshaped = fit.counts
    problem = WeightsError(
        f"{checkpoint} does not fit {model}: {missing} tensors missing, {unexpected} unexpected, "
        f"{reshaped} of another shape; {describe_matches(found)}"
    )
    for line in fit.lines():
        problem.add_note(line)
    raise problem


def _is_named_after(checkpoint: Path, model: str) -> bool:
    """Whether ``DeAOTL_PRE_YTB_DAV.pth`` and the like begin with the official name of ``model``."""
    official = OFFICIAL_NAMES.get(model, model).lower()
    return checkpoint.name.lower().startswith((f"{official}_", f"{official}."))


def _target(checkpoint: Path, model: str, out: Path | None) -> Path:
    return out if out is not None else checkpoint.parent / f"{model}.safetensors"


def _average_elsewhere(checkpoint: Path) -> list[str]:
    """The official training keeps the average of ``ckpt/save_step_N.pth`` in ``ema_ckpt/``."""
    checkpoint = checkpoint.absolute()
    twin = checkpoint.parent.parent / "ema_ckpt" / checkpoint.name
    if checkpoint.parent.name != "ckpt" or not twin.is_file():
        return []
    return [f"the averaged weights of this step are in {twin}; they are the ones to use as a rule"]
