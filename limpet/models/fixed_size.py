"""The whole tracker as two pure graphs of tensors of fixed size: a frame with known masks, and any other frame.

    state                           = start(image, mask)
    mask, logits, soft_iou, changed = step(image, state)

Nothing is left to the host but the image's size and normalisation. The long-term memory has a fixed number of frames:
the first are references, the others tracked frames, so that the state never changes its shape. This is what is
exported, and what a compiler with fixed shapes can make the most of.

Which tracked frame a new one replaces is decided within the graph, by the rule of one of two memory policies (``Ring``
and ``Bounded`` in limpet/tracking/memory_policies.py).

Legend: B videos side by side; S id slots, background first; T frames of the long-term memory; M tokens of a frame, a
number of each layer's own; A and V widths of keys and values; H W pixels of the frame, which masks are made for;
``height`` and ``width`` those of the network's image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.calibration import MIN_SOFT_IOU, Calibration
from limpet.core.errors import ModelError, Option
from limpet.memory import Memory
from limpet.models.attention import MASKED_LOGIT
from limpet.models.base import Model, slot_probabilities
from limpet.models.fixed_memory import RULES, PlaceRule
from limpet.models.soft_aggregation import soft_aggregation

FixedState = dict[str, Tensor]
"""By name: ``present`` (B, S), 1 for each slot in use; ``memory_mask`` (B, T), 1 for each frame of the long-term memory
that has been written; ``since`` (B,) int32, frames since the last candidate for it; ``long.<layer>.key|value``
(B, T*M, A|V); ``short.<layer>.key|value`` (B, M, A|V), unless the model does not read it; and what the rule for tracked
frames has to know of them (limpet/models/fixed_memory.py)."""


@dataclass(frozen=True)
class FixedConfig:
    """What is fixed.

    frame_size: (H, W) of the masks in pixels.
    network_size: (height, width) of the image that the network sees.
    objects: how many slots there are besides the background.
    references: frames of the long-term memory whose masks a person gave.
    ring: tracked frames of the long-term memory, one written every ``gap`` frames; 0 keeps references only.
    memory: memory policy by which a new frame replaces one of them, "ring" (the oldest) or "bounded" (the one of the
        lowest value).
    calibration: Platt scaling that makes confidences of soft IoUs, for "bounded"; None leaves them as they are.

    Raises:
        ModelError: numbers that no tracker can have.
    """

    frame_size: tuple[int, int]
    network_size: tuple[int, int]
    objects: int = 10
    references: int = 1
    ring: int = 0
    gap: int = 5
    memory: str = "ring"
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.memory not in RULES:
            raise ModelError(
                f"trackers of fixed size have no memory policy {self.memory!r}; the choices are: {', '.join(RULES)}"
            )
        if min(self.objects, self.references, self.gap) < 1 or self.ring < 0:
            raise ModelError(
                f"an exported tracker needs at least 1 object, 1 reference, a gap of 1 and a ring of 0 or more: {self}"
            )

    @property
    def slots(self) -> int:
        """S, with the background."""
        return self.objects + 1

    @property
    def memory_frames(self) -> int:
        """T."""
        return self.references + self.ring

    @property
    def rule(self) -> PlaceRule:
        """By which tracked frames take their places."""
        return RULES[self.memory](self.references, self.ring)


class _TrackerGraph(nn.Module):
    """What both graphs share. The model is as ``for_inference`` made it; logits are float32, states of its dtype."""

    def __init__(self, model: Model, config: FixedConfig) -> None:
        super().__init__()
        if config.objects > model.config.max_objects:
            raise ModelError(
                f"the model has {model.config.max_objects} slots for objects, {config.objects} are asked for"
            )
        if model.config.flow == "dis":
            raise ModelError(
                "the optical flow of dis is found outside the network, and a graph of fixed size has the network "
                "alone; load the model with ",
                Option("flow", "match"),
                " or ",
                Option("flow", "none"),
            )
        self.model, self.config = model, config
        rows, columns = (
            _nearest(*sides) for sides in zip(config.frame_size, config.network_size, strict=True)
        )
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def nearest(self, mask: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows and columns of the mask the image's pixels take: (height,) and (width,) int64."""
        return self.rows, self.columns  # type: ignore[return-value]

    def planes(self, mask: Tensor, image: Tensor) -> Tensor:
        """Slots (B, H, W) uint8 of an image (B, 3, height, width) -> one-hot (B, S, height, width)."""
        rows, columns = self.nearest(mask, image)
        near = mask.int().index_select(1, rows).index_select(2, columns)
        slots = torch.arange(self.config.slots, dtype=torch.int32, device=mask.device)
        return (near.unsqueeze(1) == slots.view(1, -1, 1, 1)).to(self.model.dtype)


class StartGraph(_TrackerGraph):
    """A frame whose masks are known."""

    def forward(self, image: Tensor, mask: Tensor) -> FixedState:
        """Normalised image (B, 3, height, width) float32 and slots (B, H, W) uint8 -> the state after the frame."""
        config = self.config
        features = self.model.encode(image.to(self.model.dtype))
        _, _, memory = self.model.refer(features, self.model.identify(self.planes(mask, image)))
        slots = torch.arange(config.slots, dtype=torch.int32, device=mask.device)
        present = (mask.int().flatten(1).unsqueeze(1) == slots.view(1, -1, 1)).any(dim=2) | (slots == 0)
        batch = image.shape[0]
        state = {"present": present.float()}
        if config.memory_frames > 1:
            ones = torch.ones(batch, 1, device=image.device)  # Core ML has no new_ones
            state["memory_mask"] = F.pad(ones, (0, config.memory_frames - 1))
        if config.ring:
            state["since"] = torch.zeros(batch, dtype=torch.int32, device=image.device)
            state |= config.rule.first(memory)
        short = memory.named("short.") if self.model.config.reads_previous else {}
        return state | memory.padded(config.memory_frames).named("long.") | short


class StepGraph(_TrackerGraph):
    """Any other frame."""

    def forward(self, image: Tensor, state: FixedState) -> tuple[Tensor, Tensor, Tensor, FixedState]:
        """One frame further.

        Args:
            image: normalised (B, 3, height, width) float32.
            state: see FixedState.

        Returns:
            mask: slots (B, H, W) uint8.
            logits: (B, S, height/4, width/4) float32, MASKED_LOGIT for slots that are not in use.
            soft_iou: (B, S) float32, of each slot's mask (limpet/tracking/processing.py).
            state: what changed of it, by the same names.
        """
        config, family = self.config, self.model.config
        features = self.model.encode(image.to(self.model.dtype))
        long_term = Memory.of_named(state, "long.", frames=config.memory_frames)
        short_term = Memory.of_named(state, "short.") if family.reads_previous else long_term
        tokens, pending = self.model.propagate(features, long_term, short_term, state.get("memory_mask"))
        logits = self.model.decode(tokens, features)[:, : config.slots]
        logits = logits + ((1 - state["present"]) * MASKED_LOGIT).unsqueeze(2).unsqueeze(3)
        mask = self._mask(logits, self.mask_size(state))
        if family.soft_memory:
            planes = self._enlarged(logits, image.shape[2:]).softmax(dim=1).to(self.model.dtype)
        else:
            planes = self.planes(mask, image)
        memory = self.model.remember(pending, self.model.identify(planes))
        soft_iou = soft_ious(slot_probabilities(logits.flatten(2), family))
        after = memory.named("short.") if family.reads_previous else {}
        if config.ring:
            after |= self._written(state, long_term, memory, soft_iou)
        return mask, logits, soft_iou, after

    def mask_size(self, state: FixedState) -> tuple[int, int]:
        """(H, W) of the masks."""
        return self.config.frame_size

    def _mask(self, logits: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """The slot of the largest probability in each pixel, (B, H, W) uint8."""
        if self.model.config.independent_objects and logits.shape[1] == 2:
            alone = self._enlarge(
                logits[:, 1:] - logits[:, :1], size
            )  # what is above 0 is above its background
            return (alone > 0).squeeze(1).to(torch.uint8)
        return most_probable(self._enlarged(logits, size))

    def _enlarged(self, logits: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """Logits (B, S, height/4, width/4) -> (B, S, *size), by which slots compete."""
        if self.model.config.independent_objects:
            return soft_aggregation(self._enlarge(logits[:, 1:] - logits[:, :1], size))  # no plane for slot 0
        return self._enlarge(logits, size)

    def _enlarge(self, planes: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        align_corners = self.model.config.align_corners
        return F.interpolate(planes, size=tuple(size), mode="bilinear", align_corners=align_corners)

    def _written(self, state: FixedState, long_term: Memory, memory: Memory, soft_iou: Tensor) -> FixedState:
        """The long-term memory with the frame in it, if ``gap`` frames have passed since the last one."""
        config = self.config
        since = state["since"] + 1
        due = since >= config.gap
        used = state["present"][:, 1:]
        confidences = calibrated(soft_iou, config.calibration)[:, 1:] * used
        confidence = confidences.sum(dim=1, keepdim=True) / used.sum(dim=1, keepdim=True).clamp_min(1.0)
        where, facts = config.rule.next(state, memory, confidence, due)
        mask = state["memory_mask"]
        return {
            "since": torch.where(due, torch.zeros_like(since), since),
            "memory_mask": torch.maximum(mask, where.to(mask.dtype)),
            **facts,
            **long_term.written(memory, where).named("long."),
        }


def most_probable(logits: Tensor) -> Tensor:
    """The slot of the largest logit, (B, S, H, W) -> (B, H, W) uint8; two slots are compared, which is faster."""
    if logits.shape[1] == 2:
        return (logits[:, 1] > logits[:, 0]).to(torch.uint8)
    return logits.argmax(dim=1).to(torch.uint8)


def soft_ious(probabilities: Tensor) -> Tensor:
    """The soft IoU of each slot's mask; what it is, limpet/tracking/processing.py explains.

    Args:
        probabilities: (..., S, cells) of the slots in each cell; they need not add up to 1.

    Returns:
        (..., S), 0 where a slot wins no cell.
    """
    # no index_add: on a GPU its order of adding is another every time
    won = (probabilities == probabilities.amax(dim=-2, keepdim=True)).to(probabilities.dtype)
    inside, area = (won * probabilities).sum(dim=-1), won.sum(dim=-1)
    return inside / (area + probabilities.sum(dim=-1) - inside).clamp_min(1e-6)


def calibrated(soft_iou: Tensor, calibration: Calibration | None) -> Tensor:
    """The confidence for each soft IoU, in the same shape; what ``Calibration`` gives for a single one."""
    if calibration is None:
        return soft_iou
    share = soft_iou.clamp(MIN_SOFT_IOU, 1 - MIN_SOFT_IOU)
    scaled = torch.sigmoid(calibration.slope * (share / (1 - share)).log() + calibration.offset)
    return torch.where(soft_iou > 0, scaled, torch.zeros_like(scaled))


def _nearest(source: int, target: int) -> Tensor:
    """Which of ``source`` pixels each of ``target`` pixels takes, as ``interpolate`` chooses them: (target,) int64."""
    numbers = torch.arange(source, dtype=torch.float32)[None, None]
    return F.interpolate(numbers, size=target, mode="nearest")[0, 0].long()
