"""What is said of a kind of file: an example of it, which file is damaged, and what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limpet.core.check_sums import CHECK_SUM, check_sum
from limpet.core.errors import LimpetError


def _never(right: Any, found: Any) -> bool:
    return False


def _as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Kind:
    """make: an example in a new folder. damaged: the file of it that is damaged, a pattern below that folder.

    read: what is read from the folder, in values that can be compared.
    checked: any change of the bytes that changes what is read is told, because there is a check sum; of others, another
        value that can be right is right.
    mended: of damaged bytes, those with the check sum that belongs to them: what a person may have made on purpose.
    also_right: whether another answer is right, given the right one: what was not written to its end did not happen.
    """

    make: Callable[[Path], Any]
    damaged: str
    read: Callable[[Path], Any]
    checked: bool = False
    mended: Callable[[bytes], bytes] = _as_it_is
    also_right: Callable[[Any, Any], bool] = _never

    def file(self, folder: Path) -> Path:
        """The file that is damaged, in an example."""
        return sorted(folder.glob(self.damaged))[0]


class ToldError(LimpetError):
    """What is whole was read, and the rest is listed."""


def with_check_sum(data: bytes) -> bytes:
    """A JSON file with the check sum of its content; other bytes as they are."""
    try:
        content = json.loads(data)
        return json.dumps(content | {CHECK_SUM: check_sum(content)}).encode()
    except (AttributeError, ValueError, TypeError, RecursionError):
        return data
