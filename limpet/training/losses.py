"""Losses on predicted masks: bootstrapped cross-entropy and soft Jaccard (AOT, section 4 and its code), and poly-1
cross-entropy (MobileVOS, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch.nn.functional as F
from torch import Tensor

from limpet.training.config import MASK_LOSSES

MaskLoss = Callable[[Tensor, Tensor, float], Tensor]
"""(logits (B, S, H, W), masks (B, H, W), top_k_fraction) -> (B,); see ``ce_jaccard_loss``."""


def bootstrapped_cross_entropy(logits: Tensor, masks: Tensor, top_k_fraction: float) -> Tensor:
    """Cross-entropy over the hardest pixels of each image.

    Args:
        logits: (B, S, H, W) float, background first.
        masks: (B, H, W) int64 in 0..S-1.
        top_k_fraction: share of the pixels that count, in (0, 1]; training lowers it from 1 to 0.15.

    Returns:
        (B,) the mean loss of those pixels, in nats.
    """
    return _mean_of_hardest(F.cross_entropy(logits, masks, reduction="none"), top_k_fraction)


def poly_cross_entropy(logits: Tensor, masks: Tensor, top_k_fraction: float, epsilon: float = 1.0) -> Tensor:
    """Bootstrapped poly-1 cross-entropy: -log p + epsilon (1 - p) in each pixel (Leng et al. 2022; MobileVOS has 1).

    Both terms fall with p, the probability of the true slot, so that the hardest pixels are those of plain
    cross-entropy. See ``bootstrapped_cross_entropy`` for the other arguments.
    """
    surprise = F.cross_entropy(logits, masks, reduction="none")  # B H W, -log p
    return _mean_of_hardest(surprise + epsilon * (1 - (-surprise).exp()), top_k_fraction)


def _mean_of_hardest(pixels: Tensor, top_k_fraction: float) -> Tensor:
    """(B, H, W) -> (B,) the mean of the largest values."""
    if not 0 < top_k_fraction <= 1:
        raise ValueError(f"top_k_fraction is {top_k_fraction}, expected a number in (0, 1]")
    pixels = pixels.flatten(1)
    if top_k_fraction == 1:
        return pixels.mean(dim=1)
    return pixels.topk(int(top_k_fraction * pixels.shape[1]), dim=1).values.mean(dim=1)


def soft_jaccard(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - intersection over union of probabilities, averaged over the slots that the mask contains.

    Args:
        logits: (B, S, H, W) float, background first.
        masks: (B, H, W) int64 in 0..S-1.

    Returns:
        (B,) in [0, 1].
    """
    shared, predicted, areas = _overlaps(logits, masks)
    return _mean_of_present(1 - shared / (predicted + areas - shared).clamp_min(1e-6), areas)


def ce_jaccard_loss(logits: Tensor, masks: Tensor, top_k_fraction: float) -> Tensor:
    """(B,) half bootstrapped cross-entropy, half soft Jaccard; see the two for the arguments."""
    return 0.5 * bootstrapped_cross_entropy(logits, masks, top_k_fraction) + 0.5 * soft_jaccard(logits, masks)


def soft_dice(logits: Tensor, masks: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - Dice of probabilities, averaged over the slots that the mask contains.

    Args:
        logits: (B, S, H, W) float, background first.
        masks: (B, H, W) int64 in 0..S-1.
        smooth: pixels that are added to both sides of the ratio, so that tiny objects give a steady gradient.

    Returns:
        (B,) in [0, 1].
    """
    shared, predicted, areas = _overlaps(logits, masks)
    return _mean_of_present(1 - (2 * shared + smooth) / (predicted + areas + smooth), areas)


def _overlaps(logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, S) pixels that prediction and mask share, of the prediction, and of the mask; probabilities are counted."""
    probabilities = logits.softmax(dim=1).flatten(2)
    truth = F.one_hot(masks.flatten(1), logits.shape[1]).transpose(1, 2).to(probabilities.dtype)  # B S HW
    return (probabilities * truth).sum(dim=2), probabilities.sum(dim=2), truth.sum(dim=2)


def _mean_of_present(losses: Tensor, areas: Tensor) -> Tensor:
    """(B, S) -> (B,) the mean over the slots that the mask contains."""
    present = areas > 0
    return (losses * present).sum(dim=1) / present.sum(dim=1)


def ce_dice_loss(logits: Tensor, masks: Tensor, top_k_fraction: float) -> Tensor:
    """(B,) half bootstrapped cross-entropy, half Dice (supplement of DeVOS, section 1.2)."""
    return 0.5 * bootstrapped_cross_entropy(logits, masks, top_k_fraction) + 0.5 * soft_dice(logits, masks)


def find_mask_loss(name: str) -> MaskLoss:
    """The loss on masks that is called ``name`` in ``limpet.training.config.MASK_LOSSES``."""
    module, _, function = MASK_LOSSES[name].partition(":")
    loss: MaskLoss = getattr(import_module(module), function)
    return loss


def top_k_schedule(progress: float, final: float = 0.15, start: float = 0.0, full: float = 0.5) -> float:
    """Share of pixels that count at ``progress`` (0..1): 1 up to ``start``, then linearly to ``final`` at ``full``."""
    if progress >= full:
        return final
    ratio = max(0.0, progress - start) / (full - start)
    return ratio * final + (1.0 - ratio)
