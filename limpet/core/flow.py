"""Optical flow between two frames of a video, in both directions, for models that follow motion. Needs no torch.

    source = find_flow("dis")
    before = source.view(first_frame, size)                 # what has to be kept of a frame until the next one
    flow   = flow_between(source, before, source.view(second_frame, size), size)
    flow.planes, flow.problem                               # zeros and a sentence where the flow is of no use

Flow is a hint and may be wrong in places; where it cannot be right at all it is zero, and ``problem`` says why.

Legend: H W pixels of the frames that the network sees; flow has a quarter of them, rounded up, along each side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import ModelError
from limpet.core.tracker_protocol import FlowName

Floats = NDArray[np.float32]
View = NDArray[np.uint8]
FlowFunction = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Any]
"""(from, to), uint8 RGB (H, W, 3) each -> float (2, H, W): for each pixel of ``from`` how many pixels further (right,
down) it is in ``to``, as RAFT and OpenCV give it."""

STRIDE = 4
CONSISTENT_SHARE = 0.2
"""Below this share of pixels that come back to where they started, two frames do not show the same scene. Neighbouring
frames of 36 videos of DAVIS have 0.35 and more at 480p, frames of two different videos 0.17 and less."""


class Flow(NamedTuple):
    """Flow between two frames.

    planes: float32 (4, H/4, W/4), in pixels: (down, right) from each place of the second frame to where it was in the
        first, then (down, right) from each place of the first to where it is in the second.
    problem: why the planes are zero; None where they are not.
    """

    planes: Floats
    problem: str | None


class FlowSource(Protocol):
    """Where flow comes from. ``name`` is what messages call it."""

    name: str

    def view(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> View:
        """What has to be kept of a frame, uint8 RGB of any size, of which the network sees ``size`` (H, W)."""

    def between(self, origin: View, target: View, size: tuple[int, int]) -> Floats:
        """Float (2, rows, columns), (down, right) in pixels of ``size`` from each place of ``origin`` to ``target``."""


class DISFlow:
    """OpenCV's dense inverse search (Kroeger et al., 2016) on grey frames of half the size."""

    name = "dis"

    def view(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> View:
        """Grey uint8 (H/2, W/2)."""
        half = (max(1, size[0] // 2), max(1, size[1] // 2))
        small = cv2.resize(np.ascontiguousarray(frame), half[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)

    def between(self, origin: View, target: View, size: tuple[int, int]) -> Floats:
        """Float32 (2, H/2, W/2), see ``FlowSource.between``."""
        if min(origin.shape) < MIN_DIS_SIDE:
            return np.zeros((2, *origin.shape), np.float32)
        found = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(origin, target, None)  # type: ignore[attr-defined]
        pixels = np.array([size[0] / origin.shape[0], size[1] / origin.shape[1]], np.float32)
        return np.asarray(found[..., ::-1] * pixels, np.float32).transpose(2, 0, 1)


MIN_DIS_SIDE = 32
"""DIS reads pyramids of patches of 8 pixels; on smaller pictures it has nothing to read."""


class GivenFlow:
    """Flow of a function of the user's, such as RAFT; see FlowFunction."""

    def __init__(self, function: FlowFunction) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def view(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> View:
        """RGB uint8 (H, W, 3), as the network sees it."""
        return np.asarray(
            cv2.resize(np.ascontiguousarray(frame), size[::-1], interpolation=cv2.INTER_AREA), np.uint8
        )

    def between(self, origin: View, target: View, size: tuple[int, int]) -> Floats:
        """Float32 (2, H, W), see ``FlowSource.between``. Raises ModelError for what is no flow."""
        try:
            found = np.asarray(self.function(origin, target))
        except Exception as error:
            raise ModelError(f"the flow function {self.name} raised {error!r}") from error
        if found.shape != (2, *size):
            raise ModelError(
                f"the flow function {self.name} returned the shape {found.shape}; expected {(2, *size)}: (right, down) "
                f"in pixels for each pixel"
            )
        return found[::-1].astype(np.float32)


def find_flow(name: FlowName | FlowFunction) -> FlowSource | None:
    """The source called ``name``, or of a function; None where the network needs no flow or finds it by itself.

    Raises:
        ModelError: there is no such source.
    """
    if callable(name):
        return GivenFlow(name)
    if name not in get_args(FlowName):
        raise ModelError(f"flow is {name!r}; expected {', '.join(get_args(FlowName))} or a function")
    return DISFlow() if name == "dis" else None


def flow_between(source: FlowSource, previous: View, current: View, size: tuple[int, int]) -> Flow:
    """Flow between two frames of which ``source.view`` was kept, zero where it cannot be right.

    A flow is of no use when its source fails, when a number is not finite or points further than the frame is large,
    and when too few pixels come back to where they started, as at a cut from one scene to another.

    Args:
        size: (H, W) that the network sees.
    """
    grid = (-(-size[0] // STRIDE), -(-size[1] // STRIDE))
    try:
        back, forth = (
            _on_grid(source.between(*views, size), grid)
            for views in ((current, previous), (previous, current))
        )
    except (ModelError, cv2.error) as error:
        return Flow(np.zeros((4, *grid), np.float32), str(error))
    planes = np.concatenate([back, forth])
    problem = _problem(source, planes, size)
    return Flow(planes if problem is None else np.zeros_like(planes), problem)


def _on_grid(flow: Floats, grid: tuple[int, int]) -> Floats:
    return np.stack([cv2.resize(plane, grid[::-1], interpolation=cv2.INTER_AREA) for plane in flow])


def _problem(source: FlowSource, planes: Floats, size: tuple[int, int]) -> str | None:
    if not np.isfinite(planes).all():
        return f"the flow of {source.name} is not finite"
    largest = float(np.abs(planes).max())
    if largest > max(size):
        return f"the flow of {source.name} points {largest:.0f} pixels far, beyond a frame of {size[0]}x{size[1]}"
    share = consistent_share(planes)
    if share < CONSISTENT_SHARE:
        return f"the flow of {source.name} leads back for {share:.0%} of the frame only, as at a cut between scenes"
    return None


def consistent_share(planes: Floats) -> float:
    """Of how many places flow there and back leads to where it began: within 1 pixel and a tenth of the way, 0..1.

    Args:
        planes: as ``Flow`` has them. Places that lead out of the frame do not count; 1 where all do.
    """
    back, forth = planes[:2], planes[2:]
    height, width = back.shape[1:]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    at_row, at_column = rows + back[0] / STRIDE, columns + back[1] / STRIDE
    inside = (at_row >= 0) & (at_row <= height - 1) & (at_column >= 0) & (at_column <= width - 1)
    if not inside.any():
        return 1.0
    returned = np.stack([cv2.remap(plane, at_column, at_row, cv2.INTER_LINEAR) for plane in forth])
    error = np.linalg.norm(back + returned, axis=0)
    fine = error < 1 + 0.1 * np.linalg.norm(back, axis=0)
    return float(fine[inside].mean())
