"""What a predicted mask is judged by: bootstrapped cross-entropy and soft Jaccard (AOT, section 4 and its code)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bootstrapped_cross_entropy(scores: Tensor, masks: Tensor, share: float) -> Tensor:
    """Cross-entropy over the hardest pixels of each image.

    Args:
        scores: (B, S, H, W) float, background first.
        masks: (B, H, W) int64 in 0..S-1.
        share: share of the pixels that count, in (0, 1]; training lowers it from 1 to 0.15.

    Returns:
        (B,) the mean loss of those pixels, in nats.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share of hard pixels is {share}, expected a number in (0, 1]")
    pixels = F.cross_entropy(scores, masks, reduction="none").flatten(1)
    if share == 1:
        return pixels.mean(dim=1)
    return pixels.topk(int(share * pixels.shape[1]), dim=1).values.mean(dim=1)


def soft_jaccard(scores: Tensor, masks: Tensor) -> Tensor:
    """1 - intersection over union of probabilities, averaged over the slots that the mask contains.

    Args:
        scores: (B, S, H, W) float, background first.
        masks: (B, H, W) int64 in 0..S-1.

    Returns:
        (B,) in [0, 1].
    """
    probabilities = scores.softmax(dim=1).flatten(2)
    truth = F.one_hot(masks.flatten(1), scores.shape[1]).transpose(1, 2).to(probabilities.dtype)  # B S HW
    shared = (probabilities * truth).sum(dim=2)
    areas = truth.sum(dim=2)
    jaccard = shared / (probabilities.sum(dim=2) + areas - shared).clamp_min(1e-6)
    present = areas > 0
    return ((1 - jaccard) * present).sum(dim=1) / present.sum(dim=1)


def mask_loss(scores: Tensor, masks: Tensor, top_k_fraction: float) -> Tensor:
    """(B,) half bootstrapped cross-entropy, half soft Jaccard; arguments as of the two."""
    return 0.5 * bootstrapped_cross_entropy(scores, masks, top_k_fraction) + 0.5 * soft_jaccard(scores, masks)


def top_k_schedule(progress: float, smallest: float = 0.15) -> float:
    """Share of pixels that count at ``progress`` (0..1 of the stage): 1 at first, ``smallest`` from half-way on."""
    ratio = min(1.0, progress / 0.5)
    return ratio * smallest + (1.0 - ratio)
