"""Runs a model along training clips as the tracker does, with gradients (AOT, section 4), and scores its masks.

The first frame is the reference. Memories of later frames are made from the true masks (teacher forcing) or, in the
second half of a stage, from the network's own predictions; identity embeddings then carry no gradient by default.

``ClipRun`` is the one such loop: supervised training, the teacher's targets and distillation take their frames from it.

Shapes: T frames, B clips, S = N + 1 slots by id, background first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from limpet.attention_map import AttentionMap, MapKind
from limpet.memory import Memory, join_memories
from limpet.models.base import Features, Model, joint_logits, keep_slots
from limpet.models.identity import one_hot
from limpet.training.clip_flow import with_flow
from limpet.training.losses import MaskLoss, ce_jaccard_loss
from limpet.training.memory_augmentation import augment_reference, corrupt_masks


class RolloutConfig(NamedTuple):
    """How one clip is run and weighed.

    own_predictions: memories from predicted instead of true masks.
    train_id_bank_throughout: the identity bank has a gradient with own predictions, too.
    mask_corruption_prob: share of the remembered masks that are corrupted, see limpet.training.memory_augmentation.
    reference_augmented: long-term memory has the reference frame moved, see limpet.training.memory_augmentation.
    reference_weight: weight of the loss on the reference frame's own prediction (the auxiliary loss).
    top_k_fraction: share of the pixels that count in the cross-entropy.
    long_term_gap: frames between long-term memories; None keeps the reference alone.
    gradient_checkpointing: trade time for memory by computing each frame's activations again in the backward pass.
    mask_loss: the loss on masks, see ``limpet.training.losses``.
    """

    own_predictions: bool = False
    train_id_bank_throughout: bool = False
    mask_corruption_prob: float = 0.0
    reference_augmented: bool = False
    reference_weight: float = 0.0
    top_k_fraction: float = 1.0
    long_term_gap: int | None = None
    gradient_checkpointing: bool = False
    mask_loss: MaskLoss = ce_jaccard_loss


class ClipFrame(NamedTuple):
    """One frame of the clips, as the model saw it.

    frame_index: 0 is the reference frame.
    logits: (B, S, H/4, W/4). full_logits: (B, S, H, W), up-sampled; their softmax are the probabilities.
    masks: int64 (B, H, W), the ids predicted.
    truth: int64 (B, H, W), the known ids of the frame, where there are any: of the reference frame as it was shown.
    tokens: (B, D, h, w), what the decoder read.
    maps: the attention maps that were asked for; none of the reference frame.
    representation: (B, N or 1, C, H/4, W/4), what the last layer read, where it was asked for.
    """

    frame_index: int
    logits: Tensor
    full_logits: Tensor
    masks: Tensor
    truth: Tensor | None
    tokens: Tensor
    maps: tuple[AttentionMap, ...] = ()
    representation: Tensor | None = None


class RolloutResult(NamedTuple):
    """loss: scalar to minimise; frame_losses: (T, B) without gradient, frame 0 being the auxiliary loss;
    masks: (T, B, H, W) what was predicted; terms: parts of the loss by name, scalars without gradient, to be logged."""

    loss: Tensor
    frame_losses: Tensor
    masks: Tensor
    terms: dict[str, Tensor]


class Objective(Protocol):
    """A module that holds the model and scores clips; see ``rollout`` for the arguments.

    helpers: what is trained beside the model, such as projections of its features, and thrown away in the end: it is in
    checkpoints, not in weights. ``nn.Identity()`` where there is nothing.
    """

    @property
    def helpers(self) -> nn.Module: ...

    def __call__(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult: ...


class ClipLoss(nn.Module):
    """The supervised objective: compares the model's masks with those of the clips."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.helpers = nn.Identity()

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``rollout``."""
        return rollout(self.model, images, masks, object_counts, config, slots)


def rollout(
    model: Model,
    images: Tensor,
    masks: Tensor,
    object_counts: Sequence[int],
    config: RolloutConfig,
    slots: Tensor | None = None,
) -> RolloutResult:
    """Predict frames 1..T-1 of each clip from its frame 0.

    Args:
        model: in training mode or not.
        images: (T, B, 3, H, W) normalised.
        masks: (T, B, H, W) int64, ids 0..N without holes, the ids of each clip all in frame 0.
        object_counts: B numbers of objects, each at most the model's.
        config: see RolloutConfig.
        slots: (B, slots) int64, the slot of the identity bank that holds each id (0 stays 0); None is the identity.

    Raises:
        ValueError: a clip has fewer than two frames, or more objects than the model has slots.
    """
    run = ClipRun(model, images, object_counts, config, slots)
    losses, predicted = [], []
    for frame in run.frames(masks[0], masks):
        losses.append(run.mask_loss(frame))
        predicted.append(frame.masks)
    each = torch.stack(losses)  # T B
    loss = (config.reference_weight * each[0] + each[1:].mean(dim=0)).mean()
    return RolloutResult(loss, each.detach(), torch.stack(predicted), {})


class ClipRun:
    """One run of a model along clips.

    Args:
        model: in training mode or not.
        images: (T, B, 3, H, W) normalised.
        object_counts: B numbers of objects, each at most the model's.
        config: see RolloutConfig.
        slots: (B, slots) int64, as in ``rollout``.
        maps: the attention maps that are wanted of each frame: the layer, and the kind.
        with_representation: whether what the last layer reads is wanted, see ``Model.representation``.

    Raises:
        ValueError: a clip has fewer than two frames, or more objects than the model has slots.
    """

    def __init__(
        self,
        model: Model,
        images: Tensor,
        object_counts: Sequence[int],
        config: RolloutConfig,
        slots: Tensor | None = None,
        maps: Sequence[tuple[int, MapKind]] = (),
        with_representation: bool = False,
    ) -> None:
        _check_clips(model, images, object_counts)
        self.model, self.images, self.object_counts = model, images, object_counts
        self.config, self.maps, self.with_representation = config, maps, with_representation
        independent = model.config.independent_objects  # without id slots that could be shuffled
        self.slots = None if independent else slots
        self.planes = 1 + (max(object_counts) if independent else model.config.max_objects)

    def frames(
        self,
        first_mask: Tensor,
        known: Sequence[Tensor] | Tensor | None = None,
        with_reference: bool = True,
    ) -> Iterator[ClipFrame]:
        """Run along the clips, frame by frame.

        Args:
            first_mask: int64 (B, H, W), ids 0..N.
            known: T masks (B, H, W), of which memories are made unless the config says own predictions; None: there
                are none.
            with_reference: yield the reference frame too; its prediction costs a pass of the decoder.

        Raises:
            ModelError: the model has no such attention map.
        """
        images = self.images
        encoded = self.model.encode(images.flatten(0, 1)).split(images.shape[1])  # all frames in one pass
        features = with_flow(encoded, images, self.model.config.flow)
        shown, tokens, mask, long_term, short_term = self._refer(images[0], features[0], first_mask)
        if with_reference:
            logits, _ = self._decode(tokens, shown)
            full_logits = self._upsample(logits)
            yield ClipFrame(0, logits, full_logits, full_logits.argmax(dim=1), mask, tokens)
        kept, last_kept, gap = [long_term], 0, self.config.long_term_gap
        for index in range(1, images.shape[0]):
            truth = None if known is None else known[index]
            frame, short_term = self._propagate(index, features[index], truth, kept, short_term)
            if gap is not None and index - last_kept >= gap:
                kept, last_kept = [short_term, *kept], index
            yield frame

    def mask_loss(self, frame: ClipFrame) -> Tensor:
        """(B,) how far a frame is from its known masks."""
        assert frame.truth is not None
        return self.config.mask_loss(frame.full_logits, frame.truth, self.config.top_k_fraction)

    def _refer(
        self, images: Tensor, features: Features, masks: Tensor
    ) -> tuple[Features, Tensor, Tensor, Memory, Memory]:
        """The reference frame (B, 3, H, W): features, tokens and mask as shown, long-term and short-term memory.

        Corrupted masks are in the short-term memory alone, and the augmented frame in the long-term one.
        """
        tokens, pending, long_term = self.model.refer(features, self._identify(masks))
        short_term = long_term
        if self.config.mask_corruption_prob > 0:
            short_term = self.model.remember(pending, self._identify_corrupted(masks))
        if self.config.reference_augmented:
            images, masks = augment_reference(images, masks)
            features = self.model.encode(images)
            tokens, _, long_term = self.model.refer(features, self._identify(masks))
        return features, tokens, masks, long_term, short_term

    def _propagate(
        self, index: int, features: Features, truth: Tensor | None, kept: Sequence[Memory], short_term: Memory
    ) -> tuple[ClipFrame, Memory]:
        """One propagated frame, and the memory of it; ``kept``: the newest long-term memory comes first."""
        long_term = join_memories(kept, along="frames")

        def run() -> tuple[ClipFrame, Memory]:
            tokens, pending = self.model.propagate(features, long_term, short_term)
            logits, representation = self._decode(tokens, features)
            full_logits = self._upsample(logits)
            maps = tuple(
                self.model.attention_map(pending, long_term, features.size, *map_) for map_ in self.maps
            )
            masks = full_logits.argmax(dim=1)
            if self.config.own_predictions or truth is None:
                identity = self._identify_predicted(full_logits, masks)
            else:
                identity = self._identify_corrupted(truth)
            frame = ClipFrame(index, logits, full_logits, masks, truth, tokens, maps, representation)
            return frame, self.model.remember(pending, identity)

        if not self.config.gradient_checkpointing:
            return run()
        again = cast(Callable[..., Any], checkpoint)(run, use_reentrant=False)
        return cast(tuple[ClipFrame, Memory], again)

    def _identify(self, masks: Tensor) -> Tensor:
        """Masks (B, H, W) by id -> identity embedding, each id in its slot."""
        in_slots = masks if self.slots is None else self.slots.gather(1, masks.flatten(1)).view_as(masks)
        planes = one_hot(in_slots, self.planes, self.model.dtype)
        embedding = self.model.identify(planes)
        frozen = self.config.own_predictions and not self.config.train_id_bank_throughout
        return embedding.detach() if frozen else embedding

    def _identify_corrupted(self, masks: Tensor) -> Tensor:
        """As ``_identify``, of masks that may be corrupted."""
        return self._identify(corrupt_masks(masks, self.config.mask_corruption_prob))

    def _identify_predicted(self, full_logits: Tensor, masks: Tensor) -> Tensor:
        """As ``_identify_corrupted``, of predicted logits (B, S, H, W) and the masks (B, H, W) that they stand for.

        A model with ``soft_memory`` gets their probabilities, through which the gradient flows.
        """
        if not self.model.config.soft_memory:
            return self._identify_corrupted(masks)
        planes = full_logits.softmax(dim=1).to(self.model.dtype)
        corrupted = corrupt_masks(masks, self.config.mask_corruption_prob)
        pieces = (corrupted != masks).unsqueeze(1)
        planes = torch.where(pieces, one_hot(corrupted, planes.shape[1], planes.dtype), planes)
        if not self.model.config.independent_objects:
            planes = F.pad(planes, (0, 0, 0, 0, 0, self.planes - planes.shape[1]))
        if self.slots is not None:
            index = self.slots.argsort(dim=1)[:, :, None, None].expand_as(planes)
            planes = planes.gather(1, index)  # slot -> the plane of the id in it
        return self.model.identify(planes)

    def _decode(self, tokens: Tensor, features: Features) -> tuple[Tensor, Tensor | None]:
        """Logits (B, S, H/4, W/4) by id, and what the last layer read where it is wanted."""
        read = self.model.representation(tokens, features) if self.with_representation else None
        logits = self.model.decode(tokens, features) if read is None else self.model.last_layer(read)
        if self.slots is not None:
            index = self.slots[:, :, None, None].expand(-1, -1, *logits.shape[-2:])
            logits = logits.gather(1, index)
        return keep_slots(logits, self.object_counts), read

    def _upsample(self, logits: Tensor) -> Tensor:
        """Logits at stride 4 -> logits (B, S, H, W) of every pixel, by which the objects compete."""
        corners = self.model.config.align_corners
        large = F.interpolate(logits, size=self.images.shape[-2:], mode="bilinear", align_corners=corners)
        return joint_logits(large, self.model.config)


def _check_clips(model: Model, images: Tensor, object_counts: Sequence[int]) -> None:
    if images.shape[0] < 2:
        raise ValueError(
            f"a clip has {images.shape[0]} frame, expected at least 2: one to learn from, one to predict"
        )
    if max(object_counts) > model.config.max_objects:
        raise ValueError(
            f"a clip has {max(object_counts)} objects but the model holds {model.config.max_objects} at once; "
            f"sample fewer objects or raise max_objects"
        )
