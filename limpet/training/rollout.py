"""Runs a model along training clips and scores each frame: the tracker's loop, with gradients (AOT, section 4).

The first frame is the reference. Memories of later frames are made from the true masks (teacher forcing) or, in the
second half of a stage, from the network's own predictions; identity embeddings then carry no gradient, unless told to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from limpet.core.files import atomic_path
from limpet.data import ClipBatch
from limpet.memory import Memory, join_memories
from limpet.models.base import Features, Model, joint_logits, keep_slots
from limpet.models.identity import one_hot
from limpet.training.losses import mask_loss
from limpet.training.memory_augmentation import augment_reference, corrupt_masks


class RolloutConfig(NamedTuple):
    """How one clip is run and weighed.

    own_predictions: memories from predicted instead of true masks.
    train_id_bank_throughout: the identity bank has a gradient with own predictions, too.
    mask_corruption_prob: share of the remembered masks that get a mistake, see limpet.training.memory_augmentation.
    reference_augmented: long-term memory has the reference frame moved, see limpet.training.memory_augmentation.
    reference_weight: weight of the loss on the reference frame's own prediction (the auxiliary loss).
    top_k_fraction: share of the pixels that count in the cross-entropy.
    long_term_gap: frames between long-term memories; None keeps the reference alone.
    gradient_checkpointing: trade time for memory by computing each frame's activations again in the backward pass.
    """

    own_predictions: bool = False
    train_id_bank_throughout: bool = False
    mask_corruption_prob: float = 0.0
    reference_augmented: bool = False
    reference_weight: float = 0.0
    top_k_fraction: float = 1.0
    long_term_gap: int | None = None
    gradient_checkpointing: bool = False


class RolloutResult(NamedTuple):
    """loss: scalar to minimise; frame_losses: (T, B) without gradient, frame 0 being the auxiliary loss;
    masks: (T, B, H, W) what was predicted; terms: parts of the loss by name, scalars without gradient, to be logged."""

    loss: Tensor
    frame_losses: Tensor
    masks: Tensor
    terms: dict[str, Tensor]


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
        slots: (B, S) int64, the slot of the identity bank that holds each id (0 stays 0); None is the identity.

    Raises:
        ValueError: a clip has fewer than two frames, or more objects than the model has slots.
    """
    check_clips(model, images, object_counts)
    frames = images.shape[0]
    run = ClipRun(model, object_counts, slots, config)
    features = encode_clip(model, images)

    scores, loss, long_term, short_term = run.begin(images[0], features[0], masks[0])
    kept, last_kept, losses, predicted = [long_term], 0, [loss], [scores.argmax(dim=1)]
    for step in range(1, frames):
        scores, short_term = run.step(features[step], masks[step], join(kept), short_term)
        if config.long_term_gap is not None and step - last_kept >= config.long_term_gap:
            kept, last_kept = [short_term, *kept], step
        losses.append(mask_loss(scores, masks[step], config.top_k_fraction))
        predicted.append(scores.argmax(dim=1))
    each = torch.stack(losses)  # T B
    loss = (config.reference_weight * each[0] + each[1:].mean(dim=0)).mean()
    return RolloutResult(loss, each.detach(), torch.stack(predicted), {})


def encode_clip(model: Model, images: Tensor) -> list[Features]:
    """All frames of the clips (T, B, 3, H, W) in one pass; a list of T Features."""
    return model.encode(images.flatten(0, 1)).split(images.shape[1])


class ClipRun:
    """What stays the same along one rollout: the model, and which object sits in which slot."""

    def __init__(
        self, model: Model, object_counts: Sequence[int], slots: Tensor | None, config: RolloutConfig
    ) -> None:
        self.model, self.object_counts, self.config = model, object_counts, config
        independent = model.config.independent_objects  # without id slots that could be shuffled
        self.slots = None if independent else slots
        self.planes = 1 + (max(object_counts) if independent else model.config.max_objects)

    def identify(self, masks: Tensor) -> Tensor:
        """Masks (B, H, W) by id -> identity embedding, each id in its slot."""
        in_slots = masks if self.slots is None else self.slots.gather(1, masks.flatten(1)).view_as(masks)
        planes = one_hot(in_slots, self.planes, self.model.dtype)
        embedding = self.model.identify(planes)
        frozen = self.config.own_predictions and not self.config.train_id_bank_throughout
        return embedding.detach() if frozen else embedding

    def remembered(self, masks: Tensor) -> Tensor:
        """As ``identify``, of masks that may have mistakes in them."""
        return self.identify(corrupt_masks(masks, self.config.mask_corruption_prob))

    def predicted(self, scores: Tensor) -> Tensor:
        """As ``remembered``, of the masks that scores (B, N+1, H, W) of every pixel stand for.

        A model with ``soft_memory`` gets their probabilities, through which the gradient flows.
        """
        if not self.model.config.soft_memory:
            return self.remembered(scores.argmax(dim=1))
        planes = scores.softmax(dim=1).to(self.model.dtype)
        if not self.model.config.independent_objects:
            planes = F.pad(planes, (0, 0, 0, 0, 0, self.planes - planes.shape[1]))
        if self.slots is not None:
            index = self.slots.argsort(dim=1)[:, :, None, None].expand_as(planes)
            planes = planes.gather(1, index)  # slot -> the plane of the id in it
        return self.model.identify(planes)

    def begin(
        self, images: Tensor, features: Features, masks: Tensor
    ) -> tuple[Tensor, Tensor, Memory, Memory]:
        """The reference frame (B, 3, H, W): its scores, their loss (B,), its long-term and its short-term memory.

        Mistakes are in the short-term memory alone; the long-term one may show the frame elsewhere.
        """
        tokens, pending, long_term = self.model.refer(features, self.identify(masks))
        short_term = long_term
        if self.config.mask_corruption_prob > 0:
            short_term = self.model.remember(pending, self.remembered(masks))
        if self.config.reference_augmented:
            images, masks = augment_reference(images, masks)
            features = self.model.encode(images)
            tokens, _, long_term = self.model.refer(features, self.identify(masks))
        scores = self.decode(tokens, features, masks.shape[-2:])
        return scores, mask_loss(scores, masks, self.config.top_k_fraction), long_term, short_term

    def decode(self, tokens: Tensor, features: Features, size: Sequence[int]) -> Tensor:
        """Scores (B, N+1, H, W) by id."""
        return self.enlarge(self.scores(tokens, features), size)

    def scores(self, tokens: Tensor, features: Features) -> Tensor:
        """Scores (B, N+1, H/4, W/4) by id."""
        scores = self.model.decode(tokens, features)
        if self.slots is not None:
            index = self.slots[:, :, None, None].expand(-1, -1, *scores.shape[-2:])
            scores = scores.gather(1, index)
        return keep_slots(scores, self.object_counts)

    def enlarge(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Scores at stride 4 -> scores of every pixel, by which the objects compete."""
        corners = self.model.config.align_corners
        large = F.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=corners)
        return joint_logits(large, self.model.config)

    def step(
        self, features: Features, truth: Tensor, long_term: Memory, short_term: Memory
    ) -> tuple[Tensor, Memory]:
        """One propagated frame: its scores, and the memory of it."""

        def run() -> tuple[Tensor, Memory]:
            tokens, pending = self.model.propagate(features, long_term, short_term)
            scores = self.decode(tokens, features, truth.shape[-2:])
            identity = self.predicted(scores) if self.config.own_predictions else self.remembered(truth)
            return scores, self.model.remember(pending, identity)

        if not self.config.gradient_checkpointing:
            return run()
        again = cast(Callable[..., Any], checkpoint)(run, use_reentrant=False)
        return cast(tuple[Tensor, Memory], again)


def join(kept: Sequence[Memory]) -> Memory:
    """Several frames' memories as one; the newest comes first."""
    return join_memories(kept, along="frames")


def check_clips(model: Model, images: Tensor, object_counts: Sequence[int]) -> None:
    """Raises ValueError for clips of one frame, or with more objects than the model has slots."""
    if images.shape[0] < 2:
        raise ValueError(
            f"a clip has {images.shape[0]} frame, expected at least 2: one to learn from, one to predict"
        )
    if max(object_counts) > model.config.max_objects:
        raise ValueError(
            f"a clip has {max(object_counts)} objects but the model holds {model.config.max_objects} at once; "
            f"sample fewer objects or raise max_objects"
        )


class Objective(Protocol):
    """A module that holds the model and scores clips; see ClipLoss for the arguments.

    helpers: what is trained beside the model, such as projections of its features, and thrown away in the end: it is in
    checkpoints, not in weights. ``nn.Identity()`` where there is nothing.
    """

    @property
    def helpers(self) -> nn.Module: ...

    def __call__(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult: ...


class ClipLoss(nn.Module):
    """Compares the model's masks with those of the clips."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.helpers = nn.Identity()

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``rollout``."""
        return rollout(self.model, images, masks, object_counts, config, slots)


def save_batch(folder: Path, step: int, batch: ClipBatch) -> Path:
    """Write the clips of a step that went wrong to ``folder``, to be looked at; returns the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / f"clips-of-step-{step}.safetensors"
    tensors = {"images": batch.images.to(torch.float16), "masks": batch.masks.to(torch.uint8)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({name: value.cpu().contiguous() for name, value in tensors.items()}))
    return path
