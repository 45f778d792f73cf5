"""Configurations on disk: as plain JSON with a version, and read back in the words of today.

A field that gets another name or place moves with it a line of ``RENAMES``, the one table for all that is saved. A
field that is new needs nothing, as long as its default does what was done before there was such a field.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from limpet.core.errors import DataError

Config = TypeVar("Config")

RENAMES: dict[str, tuple[dict[str, str], ...]] = {
    "training": (
        {
            "smallest_rate": "min_learning_rate",
            "warm_up": "warmup_ratio",
            "encoder_rate": "encoder_lr_ratio",
            "own_predictions_from": "teacher_forcing_until",
            "identity_learns": "train_id_bank_throughout",
            "mistake_share": "mask_corruption_prob",
            "elsewhere_share": "reference_augment_prob",
            "slots_fixed_until": "id_shuffle_start",
            "slots_all_from": "id_shuffle_full",
            "reference_until": "aux_loss_until",
            "clip_norm": "max_grad_norm",
            "averaging": "ema_horizon",
            "checkpointing": "gradient_checkpointing",
            "clips.video_share": "clips.video_prob",
            "clips.crowd_share": "clips.crowd_prob",
            "clips.rider_share": "clips.attached_object_prob",
            "clips.max_gap": "clips.max_frame_gap",
            "clips.pictures_gb": "clips.image_cache_gb",
        },
    ),
    "distillation": (
        {
            "source": "settings.labels",
            "lesson.loss.logits": "settings.loss.logits",
            "lesson.loss.attention": "settings.loss.attention",
            "lesson.loss.balance": "settings.loss.attention_weight",
            "lesson.loss.temperature": "settings.loss.temperature",
            "lesson.loss.slots": "settings.loss.slots",
            "lesson.labels": "settings.label_weight",
            "lesson.maps": "settings.maps",
            "lesson.features": "settings.features",
        },
    ),
}
"""By kind of configuration, one table for each version that is no longer written: its fields and where they went. Dots
lead into nested configurations. What is saved without a version is of version 1."""


def to_json(config: Any, kind: str) -> dict[str, Any]:
    """A configuration as plain numbers, strings, lists and dictionaries, with its version."""
    return {"version": _current(kind), **_plain(asdict(config))}


def from_json(config: type[Config], values: Mapping[str, Any], kind: str) -> Config:
    """The inverse of ``to_json``, for files of every earlier version too.

    Raises:
        DataError: the file is of a later version, has fields that none of the versions had, or values of another type.
    """
    try:
        restored: Config = _typed(config, upgrade(values, kind))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"these settings of a {kind} cannot be read: {error}") from error
    return restored


def upgrade(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Saved values of any version in the words of today, without the version. Raises DataError for a later version."""
    version = int(values.get("version", 1))
    if version > _current(kind):
        raise DataError(
            f"these settings of a {kind} are of version {version}, and this limpet reads up to {_current(kind)}; "
            f"update limpet to go on with them"
        )
    flat = {name: value for name, value in _flat(values).items() if name != "version"}
    for table in RENAMES[kind][version - 1 :]:
        flat = {table.get(name, name): value for name, value in flat.items()}
    return _nested(flat)


def _current(kind: str) -> int:
    return len(RENAMES[kind]) + 1


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _flat(values: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= (
            _flat(value, f"{within}{name}.") if isinstance(value, Mapping) else {f"{within}{name}": value}
        )
    return found


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path, value in flat.items():
        *above, name = path.split(".")
        place = result
        for each in above:
            place = place.setdefault(each, {})
        place[name] = value
    return result


def _typed(kind: Any, value: Any) -> Any:
    """What JSON made of a value of the type ``kind``, made into that again."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        unknown = value.keys() - {each.name for each in fields(kind)}
        if unknown:
            raise DataError(
                f"{', '.join(sorted(unknown))}: no version of {kind.__name__} has such a setting; the file was "  # type: ignore[union-attr]
                f"made by another program or is damaged"
            )
        return kind(**{name: _typed(hints[name], each) for name, each in value.items()})  # type: ignore[operator]
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _typed(inner, value)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        each_kind = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return tuple(map(_typed, each_kind, value))
    if isinstance(kind, type) and hasattr(kind, "_fields"):  # a NamedTuple
        return kind(*value)
    return value
