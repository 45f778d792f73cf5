"""What following a video asks of a tracker and of its state: the one protocol that all trackers fulfil.

``limpet.Tracker`` is such a tracker, and ``limpet.load_exported`` gives another one that runs without torch. Tracking,
projects, evaluation and measurements take any of them. Nothing here needs torch.

Legend: H W pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from limpet.core.calibration import Calibration
from limpet.core.errors import ModelError, Option

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.uint8]  # (H, W) of ids
FlowName = Literal["dis", "match", "none"]
"""Where the optical flow of a model that reads it comes from: from frames, from the network's features, or nowhere."""


_ROUNDING = 1e-3
"""How far beyond 0 and 1 sums of many probabilities may be."""


def checked_confidence(object_id: int, value: float) -> float:
    """A confidence to write down, 0..1. Raises ModelError if it is not a number, or not within 0..1."""
    if not -_ROUNDING <= value <= 1 + _ROUNDING:  # NaN is not, either
        raise ModelError(
            f"the tracker's confidence of object {object_id} is {value}; expected 0 to 1: its weights are damaged, or "
            f"the numbers leave the range of its precision; compute with ",
            Option("precision", "fp32"),
        )
    return min(max(float(value), 0.0), 1.0)


def check_state(state: Any, kind: type, model: str = "", weights_sha256: str = "") -> None:
    """Raises ModelError unless ``state`` is one of ``kind`` that was made by this model with these weights.

    Args:
        model, weights_sha256: of the tracker that is to step it; "" where they are not known.
    """
    if isinstance(state, tuple):
        raise ModelError(
            "the state is a tuple: step returns the mask and the state; write: mask, state = tracker.step(frame, state)"
        )
    if not isinstance(state, kind):
        raise ModelError(
            f"the state is a {type(state).__name__}; expected the {kind.__name__} that start, step or add of this "
            "tracker returned"
        )
    for name, now in (("model", model), ("weights_sha256", weights_sha256)):
        was, what = getattr(state, name, ""), name.removesuffix("_sha256")
        if was and now and was != now:
            raise ModelError(
                f"the state is of the {what} {_short(was)}, but the tracker has {_short(now)}; step it with the model "
                "and the weights that made it, or start again"
            )


def _short(name: str) -> str:
    """A name as it is, a hash by its first digits."""
    return name[:12] if len(name) == 64 else name


def check_tracker(tracker: object) -> None:
    """Raises ModelError unless ``tracker`` can be asked what a tracker is asked."""
    missing = [
        name for name in ("start", "step", "add", "check_video", "facts") if not hasattr(tracker, name)
    ]
    if missing:
        name = repr(tracker) if isinstance(tracker, str) else type(tracker).__name__
        raise ModelError(
            f"the tracker is {name}; expected one from limpet.load or limpet.load_exported, such as "
            f"limpet.load({tracker if isinstance(tracker, str) else 'deaot-nano'!r})"
        )


@dataclass(frozen=True)
class TrackerFacts:
    """Everything besides the video and the masks that the results of a tracker depend on; reports record it.

    Attributes:
        model: name of the model. weights_sha256: hash of its weights file.
        precision: of the network's arithmetic, for instance "float32".
        network_size: (height, width) in pixels of the network's input.
        augmentation: the views of test-time augmentation in words, or None.
        calibration: the Platt scaling of confidences, or None.
        memory: name of the memory policy. memory_gap, memory_max_frames, memory_budget_mb: its settings.
        objects_at_once: how many objects share one pass, where that is less than the model allows.
        device: "cpu", "cuda", or the runtime of an exported tracker.
        bundle: of an exported tracker, how it was exported.
        flow: where the optical flow of a model that reads it comes from.
        short_term_skip: how many frames before the next one its short-term memory is, where that is not 1.
    """

    model: str
    weights_sha256: str
    precision: str
    network_size: tuple[int, int]
    augmentation: str | None
    calibration: Calibration | None
    memory: str
    memory_gap: int | None
    memory_max_frames: int | None
    memory_budget_mb: float | None
    objects_at_once: int | None
    device: str
    bundle: Mapping[str, str] | None = None
    flow: str | None = None
    short_term_skip: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; what has a default here only where there is one."""
        facts = asdict(self) | {"network_size": list(self.network_size)}
        if self.calibration is not None:
            facts["calibration"] = [self.calibration.slope, self.calibration.offset]
        for optional in ("bundle", "flow", "short_term_skip"):
            if facts[optional] is None:
                del facts[optional]
        return facts


class State(Protocol):
    """What is known after a frame, see ``limpet.TrackerState``."""

    @property
    def object_ids(self) -> tuple[int, ...]: ...
    @property
    def frame_index(self) -> int: ...
    @property
    def confidence(self) -> Mapping[int, float]: ...
    @property
    def notices(self) -> tuple[str, ...]: ...
    def mask_array(self) -> Mask:
        """The ids of the last frame, uint8 (H, W); a copy."""

    def with_mask(self, mask: Mask) -> Self:
        """The same state with other ids, uint8 (H, W), in place of those predicted for the last frame."""


AnyState = TypeVar("AnyState", bound=State)


class AnyTracker(Protocol[AnyState]):
    """What is asked of a tracker. ``start``, ``step`` and ``add`` are documented at ``limpet.Tracker``.

    Attributes:
        name: of the model, for reports.
        calibration: the Platt scaling that makes confidences of soft IoUs; None where nothing was measured.
        resumable: whether its states can be written to a disk, so that a killed run can be resumed.
    """

    @property
    def name(self) -> str: ...
    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def resumable(self) -> bool: ...

    def start(self, frame: Image, mask: Mask, /) -> AnyState: ...
    def step(self, frame: Image, state: AnyState, /) -> tuple[Mask, AnyState]: ...
    def add(self, frame: Image, mask: Mask, state: AnyState, /) -> AnyState: ...

    def check_video(self, frame_size: tuple[int, int], object_ids: Collection[int]) -> None:
        """Raises LimpetError if the tracker cannot take frames of (H, W) or so many objects."""

    def facts(self, frame_size: tuple[int, int]) -> TrackerFacts:
        """What the results on frames of (H, W) depend on."""
