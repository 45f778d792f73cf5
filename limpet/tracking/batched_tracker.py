"""Several videos of one size, stepped together with tensors of fixed shape: what a GPU can make the most of.

    streams = BatchedTracker(model, frame_size=(480, 854), streams=16, device="cuda")
    streams.start(frames, masks)
    masks, sure = streams.step(frames)

``Tracker`` is the plain path and the reference; here nothing changes its shape, the state lives in buffers that are
written in place, and between two frames the processor waits for nothing: results are tensors on the device. On a GPU
the whole step is one CUDA graph. What it costs: one size for all frames, a fixed number of objects and of memories.

Legend: B videos; S slots, background first; H W pixels of the frames.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.core.groups import into_slots, object_ids
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD, SizeRule
from limpet.models.base import Model
from limpet.models.fixed_size import FixedConfig, FixedState, StartGraph, StepGraph
from limpet.models.inference import Precision, for_inference
from limpet.tracking.memory_policies import DEFAULT_FRAMES, default_policy, model_gap

WARM_UP = 3  # steps before a CUDA graph is captured, so that libraries have made their choices

Step = Callable[[Tensor, FixedState], tuple[Tensor, Tensor, FixedState]]


class BatchedTracker:
    """Follows the objects of B videos at once.

    Args:
        model: as trained; a copy is made.
        frame_size: (H, W) of all frames.
        streams: B.
        device: where to compute.
        precision: as of ``for_inference``.
        objects: most objects of one video.
        ring: how many tracked frames stay in the long-term memory; by default none for models that were trained with
            references alone, else FEW. They are as far apart as the model was trained for.
        max_size: limit on the shorter side of what the network sees, in pixels.
        compiled: let torch.compile fuse the step; it takes a minute at the first frame, and a C++ compiler on a CPU.

    Raises:
        ModelError: numbers that no tracker can have.
    """

    def __init__(
        self,
        model: Model,
        frame_size: tuple[int, int],
        streams: int = 1,
        device: torch.device | str = "cpu",
        *,
        precision: Precision = "auto",
        objects: int = 10,
        ring: int | None = None,
        max_size: int | None = 480,
        compiled: bool = False,
    ) -> None:
        if streams < 1:
            raise ModelError(f"{streams} videos are to be followed; expected at least 1")
        self.device, self.streams = torch.device(device), streams
        fast = for_inference(model, self.device, precision)
        sizes = SizeRule(max_short=max_size, align_corners=model.config.align_corners)
        keeps_frames = default_policy(model.config).max_frames != 0
        kept = ring if ring is not None else (DEFAULT_FRAMES if keeps_frames else 0)
        self.config = FixedConfig(
            frame_size, sizes.network_size(*frame_size), objects, ring=kept, gap=model_gap(model.config)
        )
        self._begin = _Begin(fast, self.config).to(self.device).eval()
        step = _Step(fast, self.config).to(self.device).eval()
        self._step: Step = torch.compile(step, dynamic=False) if compiled else step
        self._buffers: _Buffers | None = None
        self._ids = torch.zeros(streams, self.config.slots, dtype=torch.uint8, device=self.device)

    @torch.no_grad()
    def start(self, frames: Tensor, masks: Tensor) -> None:
        """Begin all videos, each with a frame whose masks are known.

        Args:
            frames: uint8 (B, H, W, 3) RGB, on any device.
            masks: uint8 (B, H, W) of ids 1..255; 0 is background.

        Raises:
            VideoError, MaskError: wrong shape or dtype, or a mask with more objects than there are slots.
        """
        self._check(frames)
        if masks.dtype != torch.uint8 or masks.shape != frames.shape[:3]:
            raise MaskError(
                f"masks are {masks.dtype} {tuple(masks.shape)}; expected uint8 {tuple(frames.shape[:3])}"
            )
        ids, slots = self._into_slots(masks)
        self._ids.copy_(ids)
        state = self._begin(frames.to(self.device), slots.to(self.device))
        if self._buffers is None:
            self._buffers = _Buffers(self._step, frames.to(self.device), state)
        self._buffers.load(state)

    @torch.no_grad()
    def step(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Follow all objects into the next frame of each video.

        Returns:
            uint8 (B, H, W) of ids, and float32 (B, S) soft IoUs by slot; on the device, valid until the next step.

        Raises:
            VideoError: wrong shape or dtype. ModelError: nothing has been started.
        """
        self._check(frames)
        if self._buffers is None:
            raise ModelError("no video has been started; call start with the first frames and their masks")
        slots, sure = self._buffers.step(frames)
        return self._ids.gather(1, slots.flatten(1).long()).view_as(slots), sure

    def state(self) -> FixedState:
        """A copy of all that is known after the last frame; ``restore`` goes on from it."""
        return {} if self._buffers is None else {k: v.clone() for k, v in self._buffers.state.items()}

    def restore(self, state: FixedState) -> None:
        """Go back to a copy from ``state``. Raises ModelError where it does not fit."""
        if self._buffers is None or {k: v.shape for k, v in state.items()} != self._buffers.shapes:
            raise ModelError("the state is not one of this tracker; start the videos again")
        self._buffers.load(state)

    def _into_slots(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The ids by slot (B, S), and the masks with slots instead of ids, both on the CPU."""
        ids = torch.zeros(self.streams, self.config.slots, dtype=torch.uint8)
        slots = torch.zeros_like(masks, device="cpu")
        for video, mask in enumerate(masks.cpu().numpy()):
            found = object_ids(mask)
            if not 0 < len(found) <= self.config.objects:
                raise MaskError(
                    f"the mask of video {video} has {len(found)} objects; expected 1 to {self.config.objects}"
                )
            slots[video] = torch.from_numpy(into_slots(mask, found))
            ids[video, 1 : len(found) + 1] = torch.tensor(found, dtype=torch.uint8)
        return ids, slots

    def _check(self, frames: Tensor) -> None:
        expected = (self.streams, *self.config.frame_size, 3)
        if frames.dtype != torch.uint8 or tuple(frames.shape) != expected:
            raise VideoError(f"frames are {frames.dtype} {tuple(frames.shape)}; expected uint8 {expected}")


class _Buffers:
    """State and frames in places that stay, and the step that reads and writes them; a CUDA graph on a GPU."""

    def __init__(self, step: Step, frames: Tensor, state: FixedState) -> None:
        self._step_function = step
        self.frames = frames.clone()
        self.state = {name: tensor.clone() for name, tensor in state.items()}
        self.shapes = {name: tensor.shape for name, tensor in state.items()}
        self._graph: torch.cuda.CUDAGraph | None = None
        self._results: tuple[Tensor, Tensor] | None = None
        if frames.is_cuda:
            self._capture()

    def load(self, state: FixedState) -> None:
        for name, tensor in state.items():
            self.state[name].copy_(tensor)

    def step(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        self.frames.copy_(frames, non_blocking=True)
        if self._graph is None:
            return self._run()
        self._graph.replay()
        assert self._results is not None  # capturing set them
        return self._results

    def _run(self) -> tuple[Tensor, Tensor]:
        slots, sure, after = self._step_function(self.frames, self.state)
        self.load(after)
        return slots, sure

    def _capture(self) -> None:
        """Warm up on a stream of its own, as CUDA graphs want it, then record one step."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._results = self._run()
        self._graph = graph


class _Prepared(nn.Module):
    """Frames as they come -> what the network sees, on the device."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: FixedConfig) -> None:
        super().__init__()
        self.size = config.network_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).mul(255).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGENET_STD).mul(255).view(1, 3, 1, 1))

    def prepare(self, frames: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) -> normalised float32 (B, 3, height, width), as limpet/tracking/processing.py does."""
        image = frames.permute(0, 3, 1, 2).float()
        if tuple(image.shape[-2:]) != self.size:
            image = F.interpolate(image, size=self.size, mode="bicubic", align_corners=False)
        normed: Tensor = (image - self.mean) / self.deviation
        return normed


class _Begin(_Prepared):
    def __init__(self, model: Model, config: FixedConfig) -> None:
        super().__init__(config)
        self.graph = StartGraph(model, config)

    def forward(self, frames: Tensor, slots: Tensor) -> FixedState:
        state: FixedState = self.graph(self.prepare(frames), slots)
        return state


class _Step(_Prepared):
    def __init__(self, model: Model, config: FixedConfig) -> None:
        super().__init__(config)
        self.graph = StepGraph(model, config)

    def forward(self, frames: Tensor, state: FixedState) -> tuple[Tensor, Tensor, FixedState]:
        slots, _, sure, after = self.graph(self.prepare(frames), state)
        return slots, sure, after
