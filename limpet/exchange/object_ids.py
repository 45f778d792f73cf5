"""Which objects of a file get which ids, where a format has no place for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from limpet.core.errors import MaskError
from limpet.core.limits import limits

_LABEL = re.compile(r"object ([1-9][0-9]{0,4})")


def label_of(object_id: int, name: str) -> str:
    """The label of an object in programs that need one: its name, or ``object 7``."""
    return name or f"object {object_id}"


def name_of(label: str, object_id: int) -> str:
    """The name of an object from its label, which is ``object 7`` if object 7 has none."""
    return "" if label == label_of(object_id, "") else label


def ids_of(stated: Sequence[int | None], labels: Iterable[str]) -> tuple[list[int], bool]:
    """Ids of objects, in the order of the file.

    Args:
        stated: the id that the file states for each object, if it does.
        labels: of the objects; ``object 7`` has the id 7.

    Returns:
        The ids, and whether all of them were stated. Others are the lowest free ones, in the order of the file.
    """
    named = [_LABEL.fullmatch(label) for label in labels]
    wanted = [own or (int(match[1]) if match else None) for own, match in zip(stated, named, strict=True)]
    taken: set[int] = set()
    ids: list[int | None] = []
    for number in wanted:
        usable = number is not None and 0 < number <= limits().objects and number not in taken
        ids.append(number if usable else None)
        taken |= {number} if usable and number is not None else set()
    known = None not in ids
    free = (number for number in range(1, limits().objects + 1) if number not in taken)
    try:
        return [next(free) if number is None else number for number in ids], known
    except StopIteration as error:
        raise MaskError(f"there are more than {limits().objects} objects") from error
