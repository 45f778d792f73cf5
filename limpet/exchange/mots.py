"""What both MOTS formats share: an object's number, class * 1000 + instance, where 10000 is to be ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from limpet.exchange.mask_sequence import MaskSequence
from limpet.exchange.segmentation import UNNAMED

IGNORED = 10_000
IGNORED_CLASS = 10
KITTI = {"car": 1, "pedestrian": 2}
"""Classes whose numbers evaluation programs know."""
INSTANCES = 1000


@dataclass(frozen=True)
class MotsNumbers:
    """classes: name of a class -> its number. of_object: id -> number in the format."""

    classes: Mapping[str, int]
    of_object: Mapping[int, int]


def mots_numbers(sequence: MaskSequence, most_classes: int) -> MotsNumbers:
    """Numbers of all objects whose ids are below 1000; notes what has no room in the format."""
    labels = {i: name or UNNAMED for i, name in sequence.names.items()}
    classes = _class_numbers(labels.values())
    if max(classes.values(), default=0) > most_classes:
        sequence.note(
            f"MOTS has room for {most_classes} classes, not for {len(classes)} names: all objects are of one"
        )
        labels, classes = dict.fromkeys(labels, UNNAMED), {UNNAMED: 1}
    numbers = {i: classes[label] * INSTANCES + i for i, label in labels.items() if i < INSTANCES}
    left_out = sorted(set(labels) - set(numbers))
    if left_out:
        sequence.note(
            f"MOTS has room for ids up to {INSTANCES - 1}: {len(left_out)} objects from {left_out[0]} on were left out"
        )
    return MotsNumbers(classes, numbers)


def _class_numbers(labels: Iterable[str]) -> dict[str, int]:
    """Numbers from 1 on, without 10, in the order of the names; those of KITTI have theirs."""
    names = dict.fromkeys(labels)
    known = {name: number for name, number in KITTI.items() if name in names}
    free = (k for k in count(1) if k != IGNORED_CLASS and k not in known.values())
    return {name: known.get(name) or next(free) for name in names}


def ids_of_mots(numbers: Iterable[int]) -> dict[int, int]:
    """Number in the format -> id: the instance, or the number itself where two classes have the same instance."""
    own = sorted(set(numbers))
    instances = [number % INSTANCES for number in own]
    unique = len(set(instances)) == len(own) and 0 not in instances
    return dict(zip(own, instances if unique else own, strict=True))
