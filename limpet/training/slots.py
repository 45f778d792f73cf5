"""Which slot of the identity bank each object gets in a training clip.

The official training draws a random slot out of ten for every object from the first step on. A network that starts from
nothing then finds the objects but confuses their identities for thousands of steps: ten slots that look alike on
average give no direction in which to tell them apart. So objects can first sit in slots 1..N, and the slots
in use widen to all later on, when telling them apart is known and only has to be carried over.
"""

from __future__ import annotations

import torch
from torch import Tensor


def slots_in_use(progress: float, fixed_until: float, all_from: float, objects: int, slots: int) -> int:
    """How many of the slots 1..``slots`` objects are shuffled among; 0 leaves every object in the slot of its id.

    Args:
        progress: share of the stage that is done, 0..1.
        fixed_until: up to here nothing is shuffled.
        all_from: from here on objects are shuffled among all slots; in between the number grows evenly.
        objects: N of the clip.
    """
    if progress >= all_from:
        return slots
    if progress < fixed_until:
        return 0
    ratio = (progress - fixed_until) / (all_from - fixed_until)
    return round(objects + ratio * (slots - objects))


def slot_permutation(slots: int, in_use: int, generator: torch.Generator | None = None) -> Tensor:
    """The slot of every id, (slots + 1,) int64: the first ``in_use`` objects' slots shuffled, background first."""
    shuffled = 1 + torch.randperm(in_use, generator=generator)
    return torch.cat([torch.zeros(1, dtype=torch.long), shuffled, torch.arange(in_use + 1, slots + 1)])
