"""The whole tracker as two pure graphs of tensors of fixed size: a frame with known masks, and any other frame.

    state               = begin(image, mask)
    mask, scores, state = step(image, state)

Nothing is left to the host but the image's size and normalisation. The long-term memory has a fixed number of
places: the first hold references, the others are a ring of tracked frames, so that the state never changes its shape.
This is what is exported, and what a compiler with fixed shapes can make the most of.

Legend: B videos side by side; S slots, background first; F places of the long-term memory; M tokens of a frame;
H W pixels of the frame, which masks are made for; h4 w4 the scores' map at stride 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.errors import ModelError
from limpet.models.base import MASKED_LOGIT, Model
from limpet.state import LayerMemory, Memory

FixedState = dict[str, Tensor]
"""By name: ``present`` (B, S) 1 for each slot in use; ``filled`` (B, F) 1 for each place that holds a frame;
``since`` and ``cursor`` (B,) int32, frames since the ring was written and the place to write next;
``long.<layer>.key|value`` (B, F*M, A|V); ``short.<layer>.key|value`` (B, M, A|V)."""


@dataclass(frozen=True)
class FixedConfig:
    """What is fixed.

    frame_size: (H, W) of the masks in pixels. network_size: (height, width) of the image that the network sees.
    objects: how many slots besides the background.
    references: places for frames whose masks a person gave. ring: places for tracked frames, written every ``gap``
        frames; 0 keeps references only.

    Raises:
        ModelError: numbers that no tracker can have.
    """

    frame_size: tuple[int, int]
    network_size: tuple[int, int]
    objects: int = 10
    references: int = 1
    ring: int = 0
    gap: int = 5

    def __post_init__(self) -> None:
        if min(self.objects, self.references, self.gap) < 1 or self.ring < 0:
            raise ModelError(
                f"an exported tracker needs at least 1 object, 1 reference, a gap of 1 and a ring of 0 or more: {self}"
            )

    @property
    def slots(self) -> int:
        """S, with the background."""
        return self.objects + 1

    @property
    def places(self) -> int:
        """F."""
        return self.references + self.ring


class _Graph(nn.Module):
    """What both graphs share. The model is as ``for_inference`` made it; scores are float32, states of its dtype."""

    def __init__(self, model: Model, config: FixedConfig) -> None:
        super().__init__()
        if config.objects > model.config.max_objects:
            raise ModelError(
                f"the model has {model.config.max_objects} slots for objects, {config.objects} are asked for"
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

    def identify(self, mask: Tensor, image: Tensor) -> Tensor:
        """Slots (B, H, W) uint8 of an image (B, 3, height, width) -> identity embedding (B, M, C)."""
        rows, columns = self.nearest(mask, image)
        near = mask.int().index_select(1, rows).index_select(2, columns)
        slots = torch.arange(self.config.slots, dtype=torch.int32, device=mask.device)
        planes = (near.unsqueeze(1) == slots.view(1, -1, 1, 1)).to(self.model.dtype)
        return self.model.identify(planes)


class StartGraph(_Graph):
    """A frame whose masks are known."""

    def forward(self, image: Tensor, mask: Tensor) -> FixedState:
        """Normalised image (B, 3, height, width) float32 and slots (B, H, W) uint8 -> the state after the frame."""
        config = self.config
        features = self.model.encode(image.to(self.model.dtype))
        _, _, memory = self.model.refer(features, self.identify(mask, image))
        slots = torch.arange(config.slots, dtype=torch.int32, device=mask.device)
        present = (mask.int().flatten(1).unsqueeze(1) == slots.view(1, -1, 1)).any(dim=2) | (slots == 0)
        batch = image.shape[0]
        state = {"present": present.float()}
        if config.places > 1:
            state["filled"] = F.pad(image.new_ones(batch, 1), (0, config.places - 1))
        if config.ring:
            state["since"] = torch.zeros(batch, dtype=torch.int32, device=image.device)
            state["cursor"] = torch.zeros(batch, dtype=torch.int32, device=image.device)
        long_term = tuple(LayerMemory(*(_with_room(t, config.places) for t in layer)) for layer in memory)
        return state | _named("long", long_term) | _named("short", memory)


class StepGraph(_Graph):
    """Any other frame."""

    def forward(self, image: Tensor, state: FixedState) -> tuple[Tensor, Tensor, Tensor, FixedState]:
        """One frame further.

        Args:
            image: normalised (B, 3, height, width) float32.
            state: as FixedState says.

        Returns:
            mask: slots (B, H, W) uint8.
            scores: (B, S, h4, w4) float32, MASKED_LOGIT for slots that are not in use.
            sure: (B, S) float32, the soft IoU of each slot's mask (limpet/tracking/processing.py).
            state: what changed of it, by the same names.
        """
        config = self.config
        features = self.model.encode(image.to(self.model.dtype))
        long_term, short_term = _layers("long", state), _layers("short", state)
        tokens, pending = self.model.propagate(features, long_term, short_term, state.get("filled"))
        scores = self.model.decode(tokens, features)[:, : config.slots]
        scores = scores + ((1 - state["present"]) * MASKED_LOGIT).unsqueeze(2).unsqueeze(3)
        mask = self.label(scores, self.mask_size(state))
        memory = self.model.remember(pending, self.identify(mask, image))
        after = _named("short", memory)
        if config.ring:
            after |= self._written(state, memory)
        return mask, scores, soft_ious(scores.flatten(2).softmax(dim=1)), after

    def mask_size(self, state: FixedState) -> tuple[int, int]:
        """(H, W) of the masks."""
        return self.config.frame_size

    def label(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        """The slot with the largest score in every pixel, (B, H, W) uint8."""
        align = self.model.config.align_corners
        large = F.interpolate(scores, size=size, mode="bilinear", align_corners=align)
        return large.argmax(dim=1).to(torch.uint8)

    def _written(self, state: FixedState, memory: Memory) -> FixedState:
        """The long-term memory with the frame in its ring, if it is the turn of this frame."""
        config = self.config
        since = state["since"] + 1
        due = since >= config.gap
        cursor = state["cursor"]
        place = torch.arange(config.places, dtype=torch.int32, device=cursor.device) - config.references
        here = (place.unsqueeze(0) == cursor.unsqueeze(1)) & due.unsqueeze(1)  # B F
        after = {
            "since": torch.where(due, torch.zeros_like(since), since),
            "cursor": torch.where(due, (cursor + 1) % config.ring, cursor),
            "filled": torch.maximum(state["filled"], here.to(state["filled"].dtype)),
        }
        for layer, fresh in enumerate(memory):
            for kind, new in zip(LayerMemory._fields, fresh, strict=True):
                name = f"long.{layer}.{kind}"
                kept = state[name].unflatten(1, (config.places, new.shape[1]))  # B F M A
                after[name] = torch.where(here[:, :, None, None], new.unsqueeze(1), kept).flatten(1, 2)
        return after


def soft_ious(shares: Tensor) -> Tensor:
    """The soft IoU of each slot's mask; what it is, limpet/tracking/processing.py says.

    Args:
        shares: (..., S, P) probabilities of the slots in P places; they need not add up to 1.

    Returns:
        (..., S), 0 where a slot wins no place.
    """
    # no index_add: on a GPU its order of adding is another every time
    won = (shares == shares.amax(dim=-2, keepdim=True)).to(shares.dtype)
    inside, area = (won * shares).sum(dim=-1), won.sum(dim=-1)
    return inside / (area + shares.sum(dim=-1) - inside).clamp_min(1e-6)


def _named(kind: str, memory: Memory) -> FixedState:
    return {
        f"{kind}.{layer}.{field}": tensor
        for layer, parts in enumerate(memory)
        for field, tensor in zip(LayerMemory._fields, parts, strict=True)
    }


def _layers(kind: str, state: FixedState) -> Memory:
    layers = sum(name.startswith(f"{kind}.") and name.endswith(".key") for name in state)
    return tuple(
        LayerMemory(*(state[f"{kind}.{layer}.{field}"] for field in LayerMemory._fields))
        for layer in range(layers)
    )


def _with_room(tokens: Tensor, places: int) -> Tensor:
    """(B, M, C) of one frame -> (B, places*M, C), the rest zero."""
    return F.pad(tokens, (0, 0, 0, (places - 1) * tokens.shape[1]))


def _nearest(source: int, target: int) -> Tensor:
    """Which of ``source`` pixels each of ``target`` pixels takes, as ``interpolate`` chooses them: (target,) int64."""
    numbers = torch.arange(source, dtype=torch.float32)[None, None]
    return F.interpolate(numbers, size=target, mode="nearest")[0, 0].long()
