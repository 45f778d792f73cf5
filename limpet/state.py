"""All that a tracker knows between two frames, as one plain value.

A state never changes: every step makes a new one, which shares what stayed the same. Keeping an old state is undo;
writing one to a file is crash-resume. What layers keep of frames is in ``limpet.memory``.

Legend: N objects; A channels of a key; H W pixels of the frame.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from limpet.core.errors import LimpetError, ModelError, VideoError
from limpet.core.files import atomic_path
from limpet.core.json_text import parse_json
from limpet.memory import Memory
from limpet.tensor_files import read_tensors, tensor_file

FORMAT = "limpet-state-3"
SAME_VIEW = 1e-3
"""Distance between descriptors below which it counts as this: what is left of it where frames are equal is rounding.
Frames of real video were 0.1 or more apart, with descriptors of length 11."""


@dataclass(frozen=True)
class StoredFrame:
    """What is known of one frame in a group's long-term memory; memory policies choose by it.

    index: number of the frame in the video.
    given: ids whose masks a person gave in it (a reference); none where the masks are the tracker's own.
    confidence: mean of the group's objects in it, 0..1; objects that were not seen count as 0, given ones as 1.
    descriptor: A numbers, the mean key of the first layer; frames that look alike have descriptors near each other.
    """

    index: int
    given: tuple[int, ...]
    confidence: float
    descriptor: tuple[float, ...]

    @property
    def is_reference(self) -> bool:
        """Whether a person gave masks in this frame."""
        return bool(self.given)


@dataclass(frozen=True)
class GroupState:
    """The objects that share one pass of the network, ten at most.

    object_ids: the user's ids; ``object_ids[k]`` has the id slot k + 1.
    long_term: all frames kept, the newest first.
    short_term: the frame whose memory the next frame reads besides: the previous one, without a ``short_term_skip``.
    last_stored: index of the frame that was offered to long_term last.
    frames: what is known of each frame in long_term, in the same order.
    newer: memories of the frames after short_term, the newest last, which become short_term in turn; empty where
        short_term is the previous frame.
    """

    object_ids: tuple[int, ...]
    long_term: Memory
    short_term: Memory
    last_stored: int
    frames: tuple[StoredFrame, ...]
    newer: tuple[Memory, ...] = ()

    @property
    def latest(self) -> Memory:
        """The memory of the previous frame."""
        return self.newer[-1] if self.newer else self.short_term

    @property
    def short_term_nbytes(self) -> int:
        """Bytes of short_term and of those that wait to become it."""
        return self.short_term.nbytes + sum(memory.nbytes for memory in self.newer)


@dataclass(frozen=True)
class TrackerState:
    """The tracker after frame ``frame_index``.

    >>> import limpet, numpy as np
    >>> tracker, frame = limpet.load("deaot-nano", device="cpu"), np.zeros((64, 96, 3), np.uint8)
    >>> mask = np.zeros((64, 96), np.uint8)
    >>> mask[16:48, 24:56] = 7
    >>> before = tracker.start(frame, mask)
    >>> _, after = tracker.step(frame, before)
    >>> before.frame_index, after.frame_index, after.object_ids    # the earlier state is unchanged: undo
    (0, 1, (7,))
    >>> after.nbytes > 0
    True

    groups: the objects and their memories.
    frame_index: 0 for the frame that was given to ``start``.
    mask: (H, W) uint8, ids of the last frame at its own size.
    network_size: (height, width) in pixels of the network input.
    confidence: expected IoU of each object's mask in the last frame, 0..1; 0 where an object is not seen.
    views: with test-time augmentation (limpet/tracking/augmented_tracker.py) one state per view, each with groups and
        masks of its own; the whole then has no groups, and its mask and confidence are the merged ones. Empty
        otherwise.
    mirrored: whether this is the state of a view of mirrored frames.
    seen: uint8, what the source of optical flow keeps of the last frame (``limpet.core.flow``); or None.
    flow_zeroed: in how many frames flow could not be right, so that none was used. flow_problem: the first of them.
    model, weights_sha256: of the tracker that made it, where they are known; no other one can step it.

    >>> import tempfile
    >>> import numpy as np
    >>> import limpet
    >>> tracker = limpet.load(device="cpu")
    >>> frame, mask = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8)
    >>> mask[8:24, 8:24] = 7
    >>> before = tracker.start(frame, mask)
    >>> _, after = tracker.step(frame, before)
    >>> before.frame_index, after.frame_index                 # the old state is still there: this is undo
    (0, 1)
    >>> path = f"{tempfile.mkdtemp()}/state.safetensors"
    >>> after.save(path)                                      # and this is how to continue tomorrow
    >>> limpet.TrackerState.load(path).object_ids
    (7,)
    """

    groups: tuple[GroupState, ...]
    frame_index: int
    mask: Tensor
    network_size: tuple[int, int]
    confidence: dict[int, float] = field(default_factory=dict)
    views: tuple[TrackerState, ...] = ()
    mirrored: bool = False
    seen: Tensor | None = None
    flow_zeroed: int = 0
    flow_problem: str = ""
    model: str = ""
    weights_sha256: str = ""

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All ids that are tracked, in the order in which they were given."""
        groups = self.views[0].groups if self.views else self.groups
        return tuple(object_id for group in groups for object_id in group.object_ids)

    @property
    def frame_size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        height, width = self.mask.shape
        return height, width

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors().values())

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of how the frames so far were tracked."""
        if not self.flow_zeroed:
            return ()
        frames = "1 frame" if self.flow_zeroed == 1 else f"{self.flow_zeroed} frames"
        return (f"{frames} tracked without optical flow; {self.flow_problem}",)

    def mask_array(self) -> NDArray[np.uint8]:
        """``mask`` as an array (H, W) that shares no memory with the state."""
        return self.mask.cpu().numpy().copy()

    def with_mask(self, mask: NDArray[np.uint8]) -> TrackerState:
        """The same state with other ids (H, W) in place of those predicted for the last frame; memories stay."""
        return replace(self, mask=torch.from_numpy(np.array(mask)).to(self.mask.device))

    def check_frame_size(self, height: int, width: int) -> None:
        """Raises VideoError unless the frames of the state have this size."""
        if (height, width) != self.frame_size:
            raise VideoError(
                f"the frame is {height}x{width} but the first was {self.frame_size[0]}x{self.frame_size[1]}; "
                f"start again from a frame of the new size"
            )

    def check_fits(self, layers: int, dtype: torch.dtype, device: torch.device) -> None:
        """Raises ModelError unless the state is of a model with as many layers, in this dtype and on this device."""
        memory = self.groups[0].short_term
        key = memory[0].key
        if (len(memory), key.dtype, key.device.type) != (layers, dtype, device.type):
            raise ModelError(
                f"the state has {len(memory)} layers in {key.dtype} on {key.device.type}, but the tracker has "
                f"{layers} in {dtype} on {device.type}; step it with the model and precision that made it, after "
                f"state.to(device)"
            )

    def to(self, device: torch.device | str) -> TrackerState:
        """The same state on another device."""
        return self._with(
            {name: tensor.to(device) for name, tensor in self._tensors().items()}, self._facts()
        )

    def clone(self) -> TrackerState:
        """A copy that shares no memory with this one."""
        return self._with({name: tensor.clone() for name, tensor in self._tensors().items()}, self._facts())

    def save(self, path: Path | str) -> None:
        """Write one safetensors file, with everything that is not a tensor as JSON in its header.

        Raises:
            OutputError: the file cannot be written.
        """
        tensors = {name: tensor.cpu().contiguous().clone() for name, tensor in self._tensors().items()}
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(
                tensor_file(tensors, {"format": FORMAT, "facts": json.dumps(self._facts())})
            )

    @classmethod
    def load(cls, path: Path | str) -> TrackerState:
        """Read what ``save`` wrote, onto the CPU.

        Raises:
            LimpetError: the file is missing, damaged, or not a state of this version.
        """
        try:
            header, tensors = read_tensors(path)
        except (SafetensorError, OSError) as error:
            raise LimpetError(
                f"{path} is not a whole tracker state ({error}); start the tracking again"
            ) from error
        if header.get("format") != FORMAT:
            raise LimpetError(
                f"{path} is not a tracker state of this version ({FORMAT}); start the tracking again"
            )
        try:
            return cls._with(tensors, parse_json(header["facts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise LimpetError(
                f"{path} is not a whole tracker state ({error!r}); start the tracking again"
            ) from error

    def _tensors(self) -> dict[str, Tensor]:
        named = {"mask": self.mask} | ({} if self.seen is None else {"seen": self.seen})
        for g, group in enumerate(self.groups):
            named |= group.long_term.named(f"{g}.long.") | group.short_term.named(f"{g}.short.")
            for n, memory in enumerate(group.newer):
                named |= memory.named(f"{g}.newer{n}.")
        for v, view in enumerate(self.views):
            named |= {f"view{v}.{name}": tensor for name, tensor in view._tensors().items()}
        return named

    def _facts(self) -> dict[str, object]:
        return {
            "frame_index": self.frame_index,
            "network_size": self.network_size,
            "confidence": {str(object_id): value for object_id, value in self.confidence.items()},
            "layers": len(self.groups[0].long_term) if self.groups else 0,
            "groups": [
                {
                    "ids": group.object_ids,
                    "last_stored": group.last_stored,
                    "frames": [asdict(frame) for frame in group.frames],
                    "newer": len(group.newer),
                }
                for group in self.groups
            ],
            "views": [view._facts() for view in self.views],
            "mirrored": self.mirrored,
            "flow_zeroed": self.flow_zeroed,
            "flow_problem": self.flow_problem,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
        }

    @staticmethod
    def _with(tensors: dict[str, Tensor], facts: dict) -> TrackerState:  # type: ignore[type-arg]
        layers = facts["layers"]
        groups = tuple(
            GroupState(
                tuple(group["ids"]),
                Memory.of_named(tensors, f"{g}.long.", len(group["frames"]), layers),
                Memory.of_named(tensors, f"{g}.short.", 1, layers),
                group["last_stored"],
                tuple(_stored_frame(**frame) for frame in group["frames"]),
                tuple(
                    Memory.of_named(tensors, f"{g}.newer{n}.", 1, layers)
                    for n in range(group.get("newer", 0))
                ),
            )
            for g, group in enumerate(facts["groups"])
        )
        height, width = facts["network_size"]
        confidence = {int(object_id): value for object_id, value in facts["confidence"].items()}
        views = tuple(
            TrackerState._with(_below(f"view{v}.", tensors), view) for v, view in enumerate(facts["views"])
        )
        return TrackerState(
            groups,
            facts["frame_index"],
            tensors["mask"],
            (height, width),
            confidence,
            views,
            facts["mirrored"],
            tensors.get("seen"),
            facts.get("flow_zeroed", 0),
            facts.get("flow_problem", ""),
            facts.get("model", ""),
            facts.get("weights_sha256", ""),
        )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those whose name starts with ``prefix``, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _stored_frame(index: int, given: list[int], confidence: float, descriptor: list[float]) -> StoredFrame:
    """JSON has no tuples."""
    return StoredFrame(index, tuple(given), confidence, tuple(descriptor))
