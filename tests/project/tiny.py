"""A small video, masks for it, and a tracker whose every answer can be told beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SIZE = (12, 16)
COUNT = 10


def make_video(folder: Path, count: int = COUNT) -> Path:
    """A folder of PNGs; frame k is grey of level k."""
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(np.full((*SIZE, 3), index, np.uint8)).save(folder / f"{index:04d}.png")
    return folder


def box(object_id: int, left: int, width: int = 3) -> np.ndarray:
    """uint8 (H, W): one object as columns from ``left`` on."""
    mask = np.zeros(SIZE, np.uint8)
    mask[2:10, left : left + width] = object_id
    return mask


def boxes(*items: tuple[int, int]) -> np.ndarray:
    """Several objects, (id, left) each; later ones lie in front."""
    mask = np.zeros(SIZE, np.uint8)
    for object_id, left in items:
        mask = np.where(box(object_id, left) > 0, object_id, mask).astype(np.uint8)
    return mask


@dataclass(frozen=True)
class State:
    """mask: of the last frame. age: steps since a mask was given. seen: grey levels of the frames met, in order."""

    mask: torch.Tensor
    object_ids: tuple[int, ...]
    confidence: dict[int, float] = field(default_factory=dict)
    age: int = 0
    seen: tuple[int, ...] = ()

    def with_mask(self, mask: np.ndarray) -> State:
        return replace(self, mask=torch.from_numpy(mask.copy()))


class Repeats:
    """A tracker that repeats the last mask and is a little less sure each time; notes what it was asked.

    Args:
        fail_at: grey level of the frame in which it breaks down.
    """

    name = ""

    def __init__(
        self, decay: float = 0.9, fail_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self.decay, self.fail_at, self.error = decay, fail_at, error
        self.started: list[int] = []
        self.stepped: list[int] = []
        self.added: list[int] = []

    def start(self, frame: np.ndarray, mask: np.ndarray) -> State:
        assert mask.any(), "nothing to follow"
        self.started.append(int(frame[0, 0, 0]))
        ids = tuple(int(i) for i in np.unique(mask) if i)
        return State(torch.from_numpy(mask.copy()), ids, dict.fromkeys(ids, 1.0), 0, (self.started[-1],))

    def step(self, frame: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        level = int(frame[0, 0, 0])
        if level == self.fail_at:
            raise self.error or RuntimeError("the tracker broke down")
        self.stepped.append(level)
        confidence = dict.fromkeys(state.object_ids, self.decay ** (state.age + 1))
        after = replace(state, confidence=confidence, age=state.age + 1, seen=(*state.seen, level))
        return after.mask.numpy().copy(), after

    def add(self, frame: np.ndarray, mask: np.ndarray, state: State) -> State:
        assert mask.any(), "nothing to add"
        self.added.append(int(frame[0, 0, 0]))
        named = {int(i) for i in np.unique(mask) if i}
        present = state.mask.numpy()
        merged = np.where(mask > 0, mask, np.where(np.isin(present, list(named)), 0, present)).astype(
            np.uint8
        )
        ids = tuple(sorted({*state.object_ids, *named}))
        return replace(state, mask=torch.from_numpy(merged), object_ids=ids, age=0)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
