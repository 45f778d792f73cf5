"""Several videos of one size, tracked in one batch with tensors of fixed shapes, as suits a GPU.

    tracker = limpet.load(device="cuda")
    batch = limpet.BatchedTracker.from_tracker(tracker, frame_size=(480, 854), videos=16)
    batch.start(frames, masks)
    masks, confidence = batch.step(frames)

``Tracker`` is the plain path and the reference. Here no tensor changes its shape, the state lies in buffers that are
written in place, and the processor waits for nothing between two frames: results are tensors on the device. On a GPU
the whole step is one CUDA graph. In return all frames have one size, the numbers of objects and of frames in memory are
fixed, and objects can be given in the first frame only. docs/many_videos.md describes when that pays off.

Legend: B videos; S id slots, background first; H W pixels of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.calibration import Calibration
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.core.groups import into_slots, object_ids
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD, SizeRule
from limpet.models.base import Model
from limpet.models.fixed_size import FixedConfig, FixedState, StartGraph, StepGraph, calibrated
from limpet.models.inference import Precision, for_inference
from limpet.tracking.augmented_tracker import AugmentedTracker
from limpet.tracking.memory_policies import (
    DEFAULT_FRAMES,
    MemoryPolicy,
    find_policy,
    fixed_size_policy,
    model_gap,
)
from limpet.tracking.tracker import Tracker

WARM_UP = 3  # steps before a CUDA graph is captured, so that libraries have made their choices

Step = Callable[[Tensor, FixedState], tuple[Tensor, Tensor, FixedState]]


class BatchedTracker:
    """Tracks the objects of B videos at once. It holds their state, unlike ``Tracker``; see ``state`` and ``restore``.

    The long-term memory holds the first frame and a fixed number of tracked frames: those that the policy ``bounded``
    keeps, or with any other policy the newest. Masks differ from those of ``Tracker`` in few pixels only, where
    resizing rounds in another way.

    Args:
        model: as trained; a copy is made.
        frame_size: (H, W) of all frames in pixels.
        videos: B.
        device: where to compute.
        precision: "auto", "fp32" or "bf16", see ``for_inference``.
        objects: the largest number of objects in one video.
        memory: memory policy, whose gap and number of frames are kept to; None takes the default of the model. A
            policy without a limit gets DEFAULT_FRAMES.
        sizes: rule for the size of the network's input; None takes the default rule of ``Tracker``.
        calibration: Platt scaling that makes confidences of soft IoUs; None leaves them as they are.
        compiled: let torch.compile fuse the step. The first frame then takes a minute; a CPU needs a C++ compiler.

    Raises:
        ModelError: numbers that no tracker can have.

    >>> import limpet, torch
    >>> tracker = limpet.load(device="cpu")
    >>> batch = limpet.BatchedTracker.from_tracker(tracker, frame_size=(48, 64), videos=2)
    >>> frames = torch.zeros(2, 48, 64, 3, dtype=torch.uint8)     # B H W 3
    >>> masks = torch.zeros(2, 48, 64, dtype=torch.uint8)         # B H W
    >>> masks[0, 8:24, 8:24], masks[1, 8:24, 8:24] = 7, 200
    >>> batch.start(frames, masks)
    >>> masks, confidence = batch.step(frames)
    >>> masks.shape, confidence.shape
    (torch.Size([2, 48, 64]), torch.Size([2, 11]))
    >>> batch.ids[:, 1].tolist()
    [7, 200]
    """

    def __init__(
        self,
        model: Model,
        frame_size: tuple[int, int],
        videos: int = 1,
        device: torch.device | str = "cpu",
        *,
        precision: Precision = "auto",
        objects: int = 10,
        memory: MemoryPolicy | str | None = None,
        sizes: SizeRule | None = None,
        calibration: Calibration | None = None,
        compiled: bool = False,
    ) -> None:
        if videos < 1:
            raise ModelError(f"the number of videos is {videos}; expected at least 1")
        self.device, self.videos, self.calibration = torch.device(device), videos, calibration
        fast = for_inference(model, self.device, precision)
        rule = sizes or SizeRule(align_corners=model.config.align_corners)
        policy = find_policy(memory, model.config)
        self.config = FixedConfig(
            frame_size,
            rule.network_size(*frame_size),
            objects,
            ring=DEFAULT_FRAMES if policy.max_frames is None else policy.max_frames,
            gap=policy.gap or model_gap(model.config),
            memory=fixed_size_policy(policy),
            calibration=calibration,
        )
        self._start = _Start(fast, self.config).to(self.device).eval()
        step = _Step(fast, self.config).to(self.device).eval()
        self._step: Step = torch.compile(step, dynamic=False) if compiled else step
        self._buffers: _Buffers | None = None
        self._ids = torch.zeros(videos, self.config.slots, dtype=torch.uint8, device=self.device)

    @classmethod
    def from_tracker(
        cls,
        tracker: Tracker,
        frame_size: tuple[int, int],
        videos: int,
        *,
        objects: int | None = None,
        compiled: bool = False,
    ) -> Self:
        """A batched tracker with the model, device, precision, sizes, memory and calibration of a tracker.

        Args:
            objects: the largest number of objects in one video; None takes as many as the tracker has in one pass.
            frame_size, videos, compiled: see the class.

        Raises:
            ModelError: the tracker has test-time augmentation or a short_term_skip, or impossible numbers.
        """
        if isinstance(tracker, AugmentedTracker) or tracker.short_term_skip > 1:
            raise ModelError(
                "videos in a batch are seen in one view; load the tracker without flip, scales and short_term_skip"
            )
        return cls(
            tracker.model,
            frame_size,
            videos,
            tracker.device,
            precision="bf16" if tracker.model.dtype == torch.bfloat16 else "fp32",
            objects=tracker.slots if objects is None else objects,
            memory=tracker.memory,
            sizes=tracker.sizes,
            calibration=tracker.calibration,
            compiled=compiled,
        )

    @property
    def ids(self) -> Tensor:
        """The user's id in each slot of each video: uint8 (B, S), 0 for the background and for free slots."""
        return self._ids.clone()

    @torch.no_grad()
    def start(self, frames: Tensor, masks: Tensor) -> None:
        """Start all videos, each with a frame whose masks are known.

        Args:
            frames: uint8 (B, H, W, 3) RGB, on any device.
            masks: uint8 (B, H, W) of ids 1..255; 0 is the background.

        Raises:
            VideoError, MaskError: wrong shape or dtype, or a mask with no object or more objects than slots.
        """
        self._check(frames)
        if masks.dtype != torch.uint8 or masks.shape != frames.shape[:3]:
            raise MaskError(
                f"masks are {masks.dtype} {tuple(masks.shape)}; expected uint8 {tuple(frames.shape[:3])}"
            )
        ids, slots = self._into_slots(masks)
        self._ids.copy_(ids)
        state = self._start(frames.to(self.device), slots.to(self.device))
        if self._buffers is None:
            self._buffers = _Buffers(self._step, frames.to(self.device), state)
        self._buffers.load(state)

    @torch.no_grad()
    def step(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Track all objects into the next frame of each video.

        Returns:
            uint8 (B, H, W) of ids, and float32 (B, S), the confidence of the object in each slot (see ``ids``), 0 in
            free slots. Both are on the device; use or copy them before the next step, which may overwrite them.

        Raises:
            VideoError: wrong shape or dtype. ModelError: ``start`` was not called.
        """
        self._check(frames)
        if self._buffers is None:
            raise ModelError("no video has been started; call start with the first frames and their masks")
        slots, soft_iou = self._buffers.step(frames)
        masks = self._ids.gather(1, slots.flatten(1).long()).view_as(slots)
        return masks, calibrated(soft_iou, self.calibration)

    def state(self) -> FixedState:
        """A copy of all that is known after the last frame, to be given to ``restore``; empty before ``start``."""
        if self._buffers is None:
            return {}
        return {name: tensor.clone() for name, tensor in self._buffers.state.items()} | {"ids": self.ids}

    def restore(self, state: FixedState) -> None:
        """Continue from a copy that ``state`` made. Raises ModelError where it does not fit."""
        shapes = {name: tensor.shape for name, tensor in state.items()}
        if self._buffers is None or shapes != self._buffers.shapes | {"ids": self._ids.shape}:
            raise ModelError("the state is not one of this tracker; start the videos again")
        self._ids.copy_(state["ids"])
        self._buffers.load({name: tensor for name, tensor in state.items() if name != "ids"})

    def _into_slots(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The ids by slot (B, S), and the masks with slots instead of ids, both on the CPU."""
        ids = torch.zeros(self.videos, self.config.slots, dtype=torch.uint8)
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
        expected = (self.videos, *self.config.frame_size, 3)
        if frames.dtype != torch.uint8 or tuple(frames.shape) != expected:
            raise VideoError(f"frames are {frames.dtype} {tuple(frames.shape)}; expected uint8 {expected}")


class _Buffers:
    """The state and the frames in tensors that stay where they are, and the step that reads and writes them.

    On a GPU the step is recorded as a CUDA graph.
    """

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
        slots, soft_iou, after = self._step_function(self.frames, self.state)
        self.load(after)
        return slots, soft_iou

    def _capture(self) -> None:
        """Warm up on a stream of its own, as CUDA graphs require, then record one step."""
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
    """Frames as the user has them -> the input of the network, on the device."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: FixedConfig) -> None:
        super().__init__()
        self.size = config.network_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).mul(255).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).mul(255).view(1, 3, 1, 1))

    def prepare(self, frames: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) -> normalised float32 (B, 3, height, width), as limpet/tracking/processing.py does."""
        image = frames.permute(0, 3, 1, 2).float()
        if tuple(image.shape[-2:]) != self.size:
            image = F.interpolate(image, size=self.size, mode="bicubic", align_corners=False)
        normed: Tensor = (image - self.mean) / self.std
        return normed


class _Start(_Prepared):
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
        slots, _, soft_iou, after = self.graph(self.prepare(frames), state)
        return slots, soft_iou, after
