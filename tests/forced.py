"""Runs a model along a reference clip with the reference's own masks fed back, as golden/README.md section 6 asks.

One near-tie pixel that flips would otherwise change what is fed back, and the runs would drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from golden import ATOL, arrays, golden_weights
from torch import Tensor

from limpet.core.groups import object_ids, split_into_groups
from limpet.memory import Memory
from limpet.models import Features, Model, build_model, keep_slots
from limpet.registry import find
from limpet.tracking.processing import label_map, probabilities, slot_planes
from limpet.weights.official import from_official

NEAR_TIES = 3  # pixels a case in which two scores differ by less than the kernels' noise


class ForcedFrame(NamedTuple):
    """index of the frame, its scores a group (1, N+1, h, w), the groups' ids, and tokens of long-term memory."""

    index: int
    scores: list[Tensor]
    ids: list[tuple[int, ...]]
    memory_tokens: int


def golden_model(name: str, folder: Path) -> Model:
    """The preset ``name`` with the made-up weights of a golden folder, all names checked."""
    model = build_model(find(name).config()).eval()
    built = {
        key: value for key, value in model.state_dict().items() if key.endswith("relative_position_index")
    }
    model.load_state_dict(from_official(golden_weights(folder, left_as_built=built)))
    return model


class ForcedRun:
    """``frames`` (T, H, W, 3) uint8 and the masks (T, H, W) that the reference predicted.

    new_objects: frame index -> mask with the ids that enter there; ``masks`` at that index is the merged one.
    """

    def __init__(
        self,
        model: Model,
        images: Tensor,
        masks: np.ndarray,
        gap: int | None = None,
        enters: Sequence[int] = (),
    ) -> None:
        self.model, self.images, self.masks = model, images, torch.from_numpy(masks)
        self.gap, self.enters = gap, enters
        self.groups = split_into_groups(object_ids(masks[0]), model.config.max_objects)
        self.long: list[Memory] = []
        self.short: list[Memory] = []
        self.last = 0

    @torch.no_grad()
    def __iter__(self) -> Iterator[ForcedFrame]:
        self._refer(0)
        for index in range(1, len(self.images)):
            features = self._encode(index)
            scores, pending = [], []
            for ids, long, short in zip(self.groups, self.long, self.short, strict=True):
                tokens, projections = self.model.propagate(features, long, short)
                scores.append(keep_slots(self.model.decode(tokens, features), [len(ids)]))
                pending.append(projections)
            yield ForcedFrame(index, scores, list(self.groups), 0)
            if index in self.enters:
                self.groups = split_into_groups(
                    object_ids(self.masks[index].numpy()), self.model.config.max_objects
                )
                self._refer(index)
                continue
            self.short = [
                self.model.remember(projections, self._identify(index, ids))
                for projections, ids in zip(pending, self.groups, strict=True)
            ]
            if self.gap is not None and index - self.last >= self.gap:
                self.long = [old.append(new) for old, new in zip(self.long, self.short, strict=True)]
                self.last = index

    @property
    def memory_tokens(self) -> int:
        return self.long[0][0].key.shape[1]

    def _encode(self, index: int) -> Features:
        return self.model.encode(self.images[index : index + 1])

    def _identify(self, index: int, ids: Sequence[int]) -> Tensor:
        height, width = self.images.shape[-2:]
        return self.model.identify(slot_planes(self.masks[index], ids, (height, width), torch.float32))

    def _refer(self, index: int) -> None:
        features = self._encode(index)
        fresh = [self.model.refer(features, self._identify(index, ids))[2] for ids in self.groups]
        self.short = fresh
        self.long = (
            [old.append(new) for old, new in zip(self.long, fresh, strict=True)] if self.long else fresh
        )
        self.last = index


def compare(run: ForcedRun, expected: dict[str, np.ndarray]) -> None:
    """Scores and probabilities within ATOL and masks equal, but for near-ties, in every frame."""
    different, last_tokens = 0, run.images.shape[0]
    for frame in run:
        last_tokens = run.memory_tokens
        for group, scores in enumerate(frame.scores):
            stored = expected["logits" if len(frame.scores) == 1 else f"logits_{group}"][frame.index - 1]
            np.testing.assert_allclose(scores[0], stored[: scores.shape[1]], atol=ATOL, rtol=0)
        size = expected["mask"].shape[1:]
        labels = label_map(frame.scores, frame.ids, size, run.model.config.align_corners)
        if "prob_s8" in expected:
            planes = probabilities(frame.scores, size, run.model.config.align_corners)[:, ::8, ::8]
            stored = expected["prob_s8"][frame.index - 1][: len(planes)]
            np.testing.assert_allclose(planes, stored, atol=ATOL, rtol=0)
        if frame.index not in run.enters:  # there the stored mask is the merged one
            different += int((labels.numpy() != expected["mask"][frame.index]).sum())
    assert different <= NEAR_TIES
    assert last_tokens == expected["mem_tokens"][-2]  # what the last frame could read


class Inside:
    """The stored tensors of one case, thinned to every n-th channel."""

    def __init__(self, folder: Path, name: str) -> None:
        self.stored = arrays(folder, name)
        self.facts = json.loads((folder / f"{name}.json").read_text())
        self.seen: set[str] = set()

    def check(self, key: str, tensor: Tensor) -> None:
        stride = self.facts[key]["channel_stride"]
        thin = tensor[:, ::stride] if tensor.dim() == 4 else tensor[0, :, ::stride]
        np.testing.assert_allclose(
            thin.reshape(self.stored[key].shape), self.stored[key], atol=ATOL, rtol=0, err_msg=key
        )
        self.seen.add(key)
