"""The tracker as users call it, along the runs of the reference: many objects, a late one, resized frames, memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from forced import NEAR_TIES, golden_model
from golden import ATOL, arrays, clip, golden_folder
from torch import Tensor

from limpet.tracking import tracker
from limpet.tracking.memory_policies import FirstFrame, MemoryPolicy, Official
from limpet.tracking.processing import label_map
from limpet.tracking.tracker import Tracker

GAP = 2  # between long-term memories in the reference runs of the L models


@pytest.mark.parametrize(
    ("name", "folder", "case", "source", "memory"),
    [
        ("deaot-t", "deaott", "a", "clip_a_129x225_3obj", FirstFrame()),
        ("deaot-t", "deaott", "obj14", "clip_14obj_129x225", FirstFrame()),
        ("deaot-t", "deaott", "newobj", "clip_new_129x225_4obj", FirstFrame()),
        ("deaot-t", "deaott", "resize", "clip_resize_134x230_3obj", FirstFrame()),
        ("deaot-l", "deaotl", "a", "clip_a_129x225_3obj", Official(gap=GAP)),
        ("aot-l", "aotl", "a", "clip_a_129x225_3obj", Official(gap=GAP)),
    ],
)
def test_reference_runs(
    name: str, folder: str, case: str, source: str, memory: MemoryPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step goes on from the mask of the reference, since no two builds agree on near-ties for ever."""
    stored, given = arrays(golden_folder() / folder, f"out_{case}"), clip(source)
    follower = Tracker(golden_model(name, golden_folder() / folder), precision="fp32", memory=memory)
    state = follower.start(given.frames[0], given.masks[0])
    different = 0
    for index, frame in enumerate(given.frames[1:], start=1):
        late = case == "newobj" and index == 3
        seen = Feed(stored["mask"][index], forced=not late)
        monkeypatch.setattr(tracker, "label_map", seen)
        _, state = follower.step(frame, state)
        if late:
            label = np.where(given.masks[index] == 4, 4, 0).astype(np.uint8)
            state = follower.add(frame, label, state)
            seen.own = state.mask
        different += int((seen.own.numpy() != stored["mask"][index]).sum())
        check_scores(seen.logits, stored, index)
        assert state.groups[0].long_term[0].key.shape[1] == stored["mem_tokens"][index]
    assert different <= NEAR_TIES


class Feed:
    """In place of ``label_map``: remembers what it would have found, and gives the mask of the reference."""

    def __init__(self, mask: np.ndarray, forced: bool) -> None:
        self.mask, self.forced = torch.from_numpy(mask), forced
        self.own, self.logits = torch.empty(0), list[Tensor]()

    def __call__(self, logits: Sequence[Tensor], *others: object) -> Tensor:
        self.logits, self.own = list(logits), label_map(logits, *others)  # type: ignore[arg-type]
        return self.mask if self.forced else self.own


def check_scores(logits: Sequence[Tensor], stored: dict[str, np.ndarray], index: int) -> None:
    for group, found in enumerate(logits):
        expected = stored["logits" if len(logits) == 1 else f"logits_{group}"][index - 1]
        np.testing.assert_allclose(found[0], expected[: found.shape[1]], atol=ATOL, rtol=0)
