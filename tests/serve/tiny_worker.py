"""A worker whose tracker repeats the last mask, without torch: "quick", "slow" (a step takes 0.2 s) or "broken"."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace

import numpy as np

from limpet.core.errors import ModelError
from limpet.serve.worker import work


@dataclass(frozen=True)
class TinyState:
    mask: np.ndarray
    object_ids: tuple[int, ...]
    confidence: dict[int, float] = field(default_factory=dict)

    def with_mask(self, mask: np.ndarray) -> TinyState:
        return replace(self, mask=mask.copy())


class TinyTracker:
    def __init__(self, name: str) -> None:
        if name == "broken":
            raise ModelError("the model is broken")
        self.name = name

    def start(self, frame: np.ndarray, mask: np.ndarray) -> TinyState:
        return TinyState(mask.copy(), tuple(int(i) for i in np.unique(mask) if i))

    def step(self, frame: np.ndarray, state: TinyState) -> tuple[np.ndarray, TinyState]:
        time.sleep(0.2 if self.name == "slow" else 0)
        return state.mask.copy(), replace(state, confidence=dict.fromkeys(state.object_ids, 0.9))

    def add(self, frame: np.ndarray, mask: np.ndarray, state: TinyState) -> TinyState:
        ids = tuple(sorted({*state.object_ids, *(int(i) for i in np.unique(mask) if i)}))
        return replace(state, mask=np.where(mask > 0, mask, state.mask), object_ids=ids)


if __name__ == "__main__":
    work(TinyTracker, sys.stdin, sys.stdout)
