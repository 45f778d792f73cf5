"""What a folder of results notes of each frame in its journal: all that is needed to go on without seeing it again."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from limpet.video.encode import Written

ROW = "row"
"""Kind of its line in the journal."""


@dataclass(frozen=True)
class Row:
    """One frame that is done.

    index, time, decoded: of the frame, time in seconds.
    areas: pixels of each object that is seen. confidence: 0..1 of each object.
    mask_crc32: of the bytes of its PNG.
    still: JPEG of the frame with overlay, if the report keeps it.
    overlay: how much of the overlay video lies in whole pieces after this frame; None without overlay.
    failures, notices: sentences that came with this frame.
    """

    index: int
    time: float
    decoded: bool
    areas: Mapping[int, int]
    confidence: Mapping[int, float]
    mask_crc32: int
    still: bytes | None
    overlay: Written | None
    failures: tuple[str, ...]
    notices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain data. JSON keeps every float to the last bit."""
        return asdict(self) | {"still": self.still and base64.b64encode(self.still).decode("ascii")}

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> Row:
        """From what ``as_dict`` gave, after JSON made strings of all keys."""
        return Row(
            facts["index"],
            facts["time"],
            facts["decoded"],
            {int(number): area for number, area in facts["areas"].items()},
            {int(number): value for number, value in facts["confidence"].items()},
            facts["mask_crc32"],
            base64.b64decode(facts["still"]) if facts["still"] else None,
            Written(**facts["overlay"]) if facts["overlay"] else None,
            tuple(facts["failures"]),
            tuple(facts["notices"]),
        )
