"""A check sum within a JSON file: what was damaged or edited by hand is told, where it would show as wrong masks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

CHECK_SUM = "crc32"
"""The name of the entry that holds it."""


def check_sum(content: Mapping[str, Any]) -> str:
    """CRC-32 of what JSON holds of ``content``, in eight hexadecimal digits; the order of its entries is free.

    >>> check_sum({"frames": (1, 2), "size": 3.5}) == check_sum({"size": 3.5, "frames": [1, 2]})
    True
    """
    plain = json.loads(json.dumps({name: value for name, value in content.items() if name != CHECK_SUM}))
    return f"{zlib.crc32(json.dumps(plain, sort_keys=True).encode()):08x}"


def check_content(content: Mapping[str, Any], names: tuple[str, ...] | None = None) -> None:
    """Compare the check sum within ``content``, read from JSON, with the rest of it. Without one, nothing is compared.

    Args:
        names: the entries that the sum is of; None: all.

    Raises:
        ValueError: it differs.
    """
    if CHECK_SUM not in content:
        return
    covered = content if names is None else {name: content[name] for name in names if name in content}
    if content[CHECK_SUM] != check_sum(covered):
        raise ValueError(
            "its check sum (crc32) does not match the rest: it was damaged, or edited by hand; take an intact copy, or "
            "remove the line of the check sum if the edit was meant"
        )
