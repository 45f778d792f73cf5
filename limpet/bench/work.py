"""How much a tracker computes and moves, counted operation by operation, not measured.

A floating-point operation is one multiplication or one addition. Those of matrix products and convolutions are counted;
what is left out (norms, activations, softmax, bilinear reading) is about a hundredth of them.

Bytes moved: every operation of torch reads its inputs once and writes its result once. Views move nothing. An engine
that fuses operations moves less, and what lies in a processor's caches does not reach the memory, so that a stage can
be faster than memory allows. Indices into a table count as the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """Of one step: by stage, floating-point operations and bytes moved.

    moved_is_known: False where an engine fuses operations as it likes, so that nothing is said of bytes.
    """

    stages: Mapping[str, tuple[float, float]]
    moved_is_known: bool = True
