"""What every model is to a tracker, a training loop or an exporter: pure functions over tensors.

    features   = model.encode(image)
    tokens, _, memory = model.refer(features, model.identify(planes))       # a frame whose masks are known
    tokens, pending   = model.propagate(features, long_term, short_term)    # any other frame
    scores     = keep_slots(model.decode(tokens, features), object_counts)
    memory     = model.remember(pending, model.identify(planes))            # once its masks are known

What is remembered, and when, is the tracker's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from limpet.core.errors import ModelError
from limpet.models.attention_map import AttentionMap, MapKind
from limpet.models.encoders import find_encoder
from limpet.state import Memory

MASKED_LOGIT = -1e10  # the score of a slot that holds no object; softmax turns it into zero

Pending = tuple[Any, ...]
"""One value a layer: a frame as the layer saw it, before its masks are known. Only the model itself reads it."""


class ModelConfig(Protocol):
    """What a configuration of any family tells. ``long_term_gap``: frames between long-term memories; None keeps
    references only. ``align_corners``: sizes are 16k + 1 and up-sampling aligns corners; else sizes are 16k."""

    @property
    def encoder(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def max_objects(self) -> int: ...
    @property
    def long_term_gap(self) -> int | None: ...
    @property
    def align_corners(self) -> bool: ...


class Features(NamedTuple):
    """A frame after the encoder: maps at strides 4, 8, 16 and tokens (B, C, h, w), the projected stride-16 map."""

    at_4: Tensor
    at_8: Tensor
    at_16: Tensor
    tokens: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the feature map at stride 16."""
        height, width = self.tokens.shape[-2:]
        return height, width


class Model(nn.Module, ABC):
    """The interface; it holds nothing of its own. D is the width of what the decoder reads."""

    config: ModelConfig
    encoder: nn.Module

    @abstractmethod
    def encode(self, image: Tensor) -> Features:
        """Normalised RGB (B, 3, H, W), H and W = 16k + 1 (16k without align_corners) -> Features."""

    @abstractmethod
    def identify(self, planes: Tensor) -> Tensor:
        """One-hot masks (B, S, H, W), background first, S <= slots -> identity embedding (B, h*w, C)."""

    @abstractmethod
    def refer(self, features: Features, id_embedding: Tensor) -> tuple[Tensor, Pending, Memory]:
        """A frame with known masks, which is its own memory.

        Returns:
            tokens (B, D, h, w) for the decoder, what ``remember`` takes, and the memory of the frame.
        """

    @abstractmethod
    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, filled: Tensor | None = None
    ) -> tuple[Tensor, Pending]:
        """A frame with unknown masks.

        Args:
            filled: (B, F), 1 for each of the F frames of ``long_term`` that is to be read, else 0; None reads all.

        Returns:
            tokens (B, D, h, w) for the decoder, and what ``remember`` takes.
        """

    @abstractmethod
    def remember(self, pending: Pending, id_embedding: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known."""

    @abstractmethod
    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, D, h, w) -> scores (B, slots, H/4, W/4) in float32, background first."""

    def attention_map(
        self,
        pending: Pending,
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """Which keys of ``long_term``, or of the frame itself, each place read in the step that gave ``pending``.

        Raises:
            ModelError: the model has no such layer, or no such map.
        """
        raise ModelError(f"{type(self).__name__} has no attention maps")

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters, and so of the images and planes that the model takes."""
        return next(self.parameters()).dtype


def keep_slots(scores: Tensor, object_counts: Sequence[int]) -> Tensor:
    """Drop the slots that no element of the batch uses, and give MASKED_LOGIT to those that an element does not.

    Args:
        scores: (B, slots, h, w).
        object_counts: B numbers of objects; slot 0 is the background.

    Returns:
        (B, max(object_counts) + 1, h, w).
    """
    scores = scores[:, : max(object_counts) + 1]
    if min(object_counts) == max(object_counts):
        return scores
    counts = torch.tensor(object_counts, device=scores.device).view(-1, 1, 1, 1)
    slots = torch.arange(scores.shape[1], device=scores.device).view(1, -1, 1, 1)
    return scores.masked_fill(slots > counts, MASKED_LOGIT)


def check_config(config: ModelConfig) -> None:
    """Raises ValueError for sizes that no model can have, ModelError for an unknown encoder."""
    find_encoder(config.encoder)
    if config.layers < 1 or config.max_objects < 1:
        raise ValueError(f"a model needs at least one layer and one object: {config}")
    if config.long_term_gap is not None and config.long_term_gap < 1:
        raise ValueError(f"long_term_gap is {config.long_term_gap}, expected at least 1 frame or None")
