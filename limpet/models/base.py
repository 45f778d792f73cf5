"""What every model is to a tracker, a training loop or an exporter: pure functions over tensors.

    features                = model.encode(image)
    tokens, pending, memory = model.refer(features, model.identify(planes))      # a frame whose masks are known
    tokens, pending         = model.propagate(features, long_term, short_term)   # any other frame
    logits                  = keep_slots(model.decode(tokens, features), object_counts)
    memory                  = model.remember(pending, model.identify(planes))    # once its masks are known

Which frames are remembered, and for how long, is the tracker's business.

Legend: B batch; T frames; N objects; S = N + 1 id slots, background first; C channels; D channels of what the decoder
reads; H W pixels; h w feature cells; M memory tokens of a frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from limpet.attention_map import AttentionMap, MapKind, SamplingMap
from limpet.core.errors import ModelError
from limpet.core.tracker_protocol import FlowName
from limpet.memory import Memory
from limpet.models.attention import MASKED_LOGIT
from limpet.models.encoders import find_encoder
from limpet.models.soft_aggregation import soft_aggregation

PROBABILITY_MARGIN = 1e-5
"""Probabilities are kept this far from 0 and 1 before objects compete, as the official code does."""

Pending = tuple[Any, ...]
"""One value per layer: a frame as the layer saw it, before its masks are known. Only the model itself reads it."""


@dataclass(frozen=True)
class ModelConfig(ABC):
    """The base of every model's configuration; a family adds its own fields.

    encoder: a name for ``limpet.models.encoders.find_encoder``.
    layers: how many layers keep a memory.
    max_objects: how many objects share one pass of the network at most.
    long_term_gap: frames between long-term memories; None keeps references only.
    long_term_frames: how many tracked frames the long-term memory holds unless the user chooses; None sets no limit.

    independent_objects (of the family): every object has a logit of its own, whatever the others have, and slot 0 of
        ``Model.decode`` is what it competes with (usually 0). See ``joint_logits`` for how they are merged.
    training_gap (of the family): frames between long-term memories in training, whose clips are short, where the model
        has a ``long_term_gap``.
    soft_memory (of the family): memories of predicted frames are made from the merged probabilities, not from masks.
    """

    encoder: str = "mobilenet-v2"
    layers: int = 1
    max_objects: int = 10
    long_term_gap: int | None = None
    long_term_frames: int | None = None
    independent_objects: ClassVar[bool] = False
    soft_memory: ClassVar[bool] = False
    training_gap: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that no model can have, ModelError for an unknown encoder."""
        find_encoder(self.encoder)
        if self.layers < 1 or self.max_objects < 1:
            raise ValueError(f"a model needs at least one layer and one object: {self}")
        if self.long_term_gap is not None and self.long_term_gap < 1:
            raise ValueError(f"long_term_gap is {self.long_term_gap}, expected at least 1 frame or None")
        if self.long_term_frames is not None and self.long_term_frames < 1:
            raise ValueError(f"long_term_frames is {self.long_term_frames}, expected at least 1 or None")

    @property
    def align_corners(self) -> bool:
        """Whether image sizes are 16k + 1 and up-sampling aligns corners; else sizes are 16k."""
        return find_encoder(self.encoder).align_corners

    @property
    def reads_previous(self) -> bool:
        """Whether the short-term memory is read, so that a state has to keep it."""
        return True

    @property
    def flow(self) -> FlowName | None:
        """Where the network's optical flow comes from; None for networks that read none."""
        return None

    @abstractmethod
    def build(self) -> Model:
        """The network with random weights."""


class Features(NamedTuple):
    """A frame after the encoder.

    at_4, at_8, at_16: the encoder's maps (B, C, H/4, W/4) and so on, each with its own C.
    tokens: (B, C, h, w), the projected map at stride 16.
    image: (B, 3, H, W), what ``encode`` was given; None for models that do not read it again.
    flow: (B, 4, H/4, W/4), optical flow to the frame before and to the one after; None for models without.
    """

    at_4: Tensor
    at_8: Tensor
    at_16: Tensor
    tokens: Tensor
    image: Tensor | None = None
    flow: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the feature map at stride 16."""
        height, width = self.tokens.shape[-2:]
        return height, width

    @property
    def maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """The encoder's maps at strides 4, 8 and 16."""
        return self.at_4, self.at_8, self.at_16

    def map(self, function: Callable[[Tensor], Tensor]) -> Features:
        """``function`` of every tensor that is there."""
        return Features(*(None if part is None else function(part) for part in self))  # type: ignore[arg-type]

    def expand(self, count: int) -> Features:
        """The features of one frame as a batch of ``count`` equal ones; nothing is copied."""
        return self.map(lambda part: part.expand(count, *part.shape[1:]))

    def split(self, size: int) -> list[Features]:
        """A batch in parts of ``size``; nothing is copied."""
        parts = [None if part is None else part.split(size) for part in self]
        count = len(parts[0])  # type: ignore[arg-type]
        return [
            Features(*(None if part is None else part[number] for part in parts))  # type: ignore[arg-type]
            for number in range(count)
        ]


class Model(nn.Module, ABC):
    """The interface; it holds nothing of its own."""

    config: ModelConfig
    encoder: nn.Module

    @abstractmethod
    def encode(self, image: Tensor) -> Features:
        """Normalised RGB (B, 3, H, W), H and W = 16k + 1 (16k without align_corners) -> Features."""

    @abstractmethod
    def identify(self, planes: Tensor) -> Tensor:
        """Masks as planes -> what the model makes of them, its identity embedding.

        Args:
            planes: (B, S, H, W) in 0..1, S at most max_objects + 1; one-hot where masks are hard. They need not add up
                to 1: with ``independent_objects``, slot 0 is the background of all objects, and the objects of other
                groups have no plane.

        Returns:
            Any tensor whose first dimension is the batch; (B, h*w, C) in the AOT family. Only the model reads it.
        """

    @property
    def flow_encoders(self) -> tuple[nn.Module, ...]:
        """What encodes optical flow; training freezes it when it freezes the identity bank."""
        return ()

    @abstractmethod
    def refer(self, features: Features, identity: Tensor) -> tuple[Tensor, Pending, Memory]:
        """A frame with known masks, which is its own memory.

        Args:
            identity: as ``identify`` returned it.

        Returns:
            tokens (B, D, h, w) for the decoder, what ``remember`` takes, and the memory of the frame.
        """

    @abstractmethod
    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, Pending]:
        """A frame with unknown masks.

        Args:
            memory_mask: (B, T), 1 for each of the T frames of ``long_term`` that is to be read, else 0; None reads
                all of them.

        Returns:
            tokens (B, D, h, w) for the decoder, and what ``remember`` takes.
        """

    @abstractmethod
    def remember(self, pending: Pending, identity: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known; ``identity`` is from ``identify``."""

    @abstractmethod
    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, D, h, w) -> logits (B, S, H/4, W/4) in float32, background first.

        S is max_objects + 1 or, with ``independent_objects``, that of the planes that the memory was made from.
        """

    def representation(self, tokens: Tensor, features: Features) -> Tensor:
        """What the last layer of the decoder reads, for losses that compare it (MobileVOS, section 3.1).

        Args:
            tokens, features: as for ``decode``, which is ``last_layer`` of this map.

        Returns:
            (B, N, C, H/4, W/4) where every object is decoded by itself, (B, 1, C, H/4, W/4) where one map serves all.

        Raises:
            ModelError: the model does not name this map.
        """
        raise self._names_no_representation()

    def last_layer(self, representation: Tensor) -> Tensor:
        """A map from ``representation`` -> the logits that ``decode`` returns. Raises ModelError like that."""
        raise self._names_no_representation()

    @property
    def representation_channels(self) -> int:
        """C of ``representation``. Raises ModelError like that."""
        raise self._names_no_representation()

    def _names_no_representation(self) -> ModelError:
        return ModelError(f"{type(self).__name__} does not name the map that its last layer reads")

    def attention_map(
        self,
        pending: Pending,
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """Which keys of ``long_term``, or of the frame itself, each cell read in the step that gave ``pending``.

        Args:
            pending, long_term, size: what ``propagate`` returned and what it was given; (h, w) of the features.
            layer, kind: counted from 0, -1 is the last; of the long-term or the self-propagation. Raises
                ModelError where the model has no such layer, or no such map.
        """
        raise ModelError(f"{type(self).__name__} has no attention maps")

    def sampling_map(
        self, features: Features, pending: Pending, short_term: Memory, layer: int
    ) -> SamplingMap | None:
        """Where cells read the previous frame; None for models that follow no motion. See ``attention_map``."""
        return None

    def encoder_state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the weights of an image encoder are to this model, which begins its training with them.

        Args:
            tensors: by the names of ``self.encoder``.

        Returns:
            By the model's own names. They need not fit.
        """
        return {f"encoder.{name}": tensor for name, tensor in tensors.items()}

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the parameters, and so of the images and planes that the model takes."""
        return next(self.parameters()).dtype


def keep_slots(logits: Tensor, object_counts: Sequence[int]) -> Tensor:
    """Drop the slots that no element of the batch uses, and give MASKED_LOGIT to those that an element does not use.

    Args:
        logits: (B, S, h, w).
        object_counts: B numbers of objects; slot 0 is the background.

    Returns:
        (B, max(object_counts) + 1, h, w).
    """
    logits = logits[:, : max(object_counts) + 1]
    if min(object_counts) == max(object_counts):
        return logits
    counts = torch.tensor(object_counts, device=logits.device).view(-1, 1, 1, 1)
    slots = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    return logits.masked_fill(slots > counts, MASKED_LOGIT)


def slot_probabilities(logits: Tensor, config: ModelConfig) -> Tensor:
    """How probable each slot is, before slots compete.

    A softmax over all slots; with ``independent_objects``, one over each object and slot 0, and the product of all
    backgrounds, so that the slots need not add up to 1.

    Args:
        logits: (B, S, ...), background first.

    Returns:
        (B, S, ...) in 0..1.
    """
    if not config.independent_objects:
        return logits.softmax(dim=1)
    objects = (logits[:, 1:] - logits[:, :1]).sigmoid()
    others = [1 - objects[:, i : i + 1] for i in range(objects.shape[1])]  # LiteRT cannot split into one part
    return torch.cat([reduce(torch.mul, others), objects], dim=1)  # Core ML has no product along a dimension


def joint_logits(logits: Tensor, config: ModelConfig) -> Tensor:
    """Logits whose softmax is the probability of each slot among all; for most models the same tensor.

    With ``independent_objects`` they are the log-odds of ``slot_probabilities`` (the soft aggregation of STM and STCN).
    Call it on logits that are enlarged already, since objects compete in each pixel.

    Args:
        logits: (B, S, H, W), background first; MASKED_LOGIT, where a slot holds no object, stays.
    """
    if not config.independent_objects:
        return logits
    return soft_aggregation(logits[:, 1:] - logits[:, :1])
