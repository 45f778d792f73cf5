"""MobileVOS as what a training run minimises: masks, logits and what the last layers read (section 3, Algorithm 1).

The masks of the clips count: those of a labelled data set, or those that the teacher left in the label cache. Masks,
logits and representations are added up, eq. 10; logits and representations are compared near the outlines of objects.

Legend: B batch; T frames; N objects; S = N + 1 slots by id, background first; C channels; H W pixels; h w feature
cells, here of 4 x 4 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.distillation.boundary import sample_cells
from limpet.distillation.config import DistillationConfig, MobileVOSConfig
from limpet.distillation.losses import (
    HintLoss,
    attention_transfer_loss,
    kl_logits_loss,
    representation_loss,
)
from limpet.distillation.teacher_targets import TeacherTargets, resized, teacher_targets
from limpet.models.base import Model
from limpet.training.rollout import ClipFrame, ClipRun, RolloutConfig, RolloutResult

CELL = 4
"""Pixels of a side of a cell."""


class MobileVOSDistillation(nn.Module):
    """The student follows the clips' masks and a teacher that remembers every frame of the clip.

    Args:
        model: the student.
        teacher: ready for inference; it is not among the module's parameters.
        settings: of the method "mobilevos".

    Raises:
        ModelError: one of the two does not name the map that its last layer reads.
    """

    def __init__(self, model: Model, teacher: Model, settings: DistillationConfig) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        # A tuple hides it: the teacher is neither trained, nor saved, nor sent to other processes.
        self._teacher = (teacher,)
        widths = model.representation_channels, teacher.representation_channels
        self.helpers = RepresentationTerm(*widths, settings.mobilevos)

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """Predict frames 1..T-1 of each clip from its frame 0, and compare each with its masks and the teacher.

        See ``limpet.training.rollout.rollout`` for the arguments; ``masks`` (T, B, H, W) are true or the teacher's.
        """
        targets = teacher_targets(
            self._teacher[0], images, masks[0], object_counts, (), slots, long_term_gap=1, with_representation=True
        )  # fmt: skip
        run = ClipRun(self.model, images, object_counts, config, slots, with_representation=True)
        losses, predicted, logits, representations = [], [], [], []
        for frame in run.frames(masks[0], masks):
            losses.append(run.mask_loss(frame))
            predicted.append(frame.masks)
            if frame.frame_index > 0:
                target, inside = (
                    targets[frame.frame_index - 1],
                    _inside(masks[frame.frame_index], object_counts),
                )
                logits.append(logit_term(frame, target, inside, self.settings.mobilevos))
                representations.append(self.helpers(frame, target, inside, object_counts))
        each = torch.stack(losses)  # T B
        terms = {
            "labels": (self.settings.label_weight, each[1:].mean()),
            "logits_kl": (self.settings.mobilevos.logit_weight, torch.stack(logits).mean()),
            "representation": (
                self.settings.mobilevos.feature_weight,
                torch.stack(representations).mean(),
            ),
        }
        loss = config.reference_weight * each[0].mean()
        for weight, term in terms.values():
            loss = loss + weight * term
        told = {name: term.detach() for name, (_, term) in terms.items()}
        return RolloutResult(loss, each.detach(), torch.stack(predicted), told)


class RepresentationTerm(nn.Module):
    """How far what the student's last layer reads is from what the teacher's reads.

    The student's map goes through a linear embedding (section 4), which is trained beside it and thrown away.

    Args:
        student, teacher: C of their maps.
        config: see MobileVOSConfig.
    """

    def __init__(self, student: int, teacher: int, config: MobileVOSConfig) -> None:
        super().__init__()
        self.config = config
        self.embed: nn.Module = nn.Identity()
        self.hints: nn.Module = nn.Identity()
        if config.representation == "renyi":
            self.embed = nn.Conv2d(student, teacher, 1)
            nn.init.orthogonal_(self.embed.weight)
            nn.init.zeros_(self.embed.bias)  # type: ignore[arg-type]
        elif config.representation == "hints":
            self.hints = HintLoss(student, teacher)

    def forward(
        self, frame: ClipFrame, target: TeacherTargets, inside: Tensor, object_counts: Sequence[int]
    ) -> Tensor:
        """Compare one frame.

        Args:
            frame, target: with representations (B, N or 1, C, h, w), where one map serves all objects of a network.
            inside: bool (B, N, H, W), where each object is.
            object_counts: B numbers of objects; those beyond them do not count.

        Returns:
            Scalar, the mean over all objects of the batch. An object without an outline counts as 0.
        """
        ours, theirs = frame.representation, target.representation
        assert ours is not None and theirs is not None  # the objective asks for them
        if self.config.representation == "none":
            return ours.new_zeros(())
        size = ours.shape[-2:]
        ours = self.embed(ours.flatten(0, 1)).unflatten(0, ours.shape[:2])
        theirs = resized(theirs.flatten(0, 1), size).unflatten(0, theirs.shape[:2])
        cells = F.interpolate(inside.float(), size=size, mode="nearest-exact").bool()  # B N h w
        if self.config.representation == "renyi":
            return self._renyi(ours, theirs, cells, object_counts)
        count = max(
            ours.shape[1], theirs.shape[1]
        )  # whole maps: objects matter where they have maps of their own
        pairs = [(_of(ours, n), _of(theirs, n)) for n in range(count)]
        compare = self.hints if self.config.representation == "hints" else attention_transfer_loss
        losses = torch.stack([compare(*pair) for pair in pairs], dim=1)  # B N or 1
        return _mean_of_objects(losses, object_counts)

    def _renyi(self, ours: Tensor, theirs: Tensor, cells: Tensor, object_counts: Sequence[int]) -> Tensor:
        """Each object by itself: its own pixels, its own outline, and two classes, the object and the rest."""
        config = self.config
        sampled = sample_cells(cells, config.sampling, config.outline_radius, config.sampled_cells)
        losses = [
            representation_loss(_of(ours, n), _of(theirs, n), cells[:, n].long(), config.omega, sampled[:, n])
            for n in range(cells.shape[1])
        ]
        return _mean_of_objects(torch.stack(losses, dim=1), object_counts)


def logit_term(frame: ClipFrame, target: TeacherTargets, inside: Tensor, config: MobileVOSConfig) -> Tensor:
    """KL divergence of both networks' probabilities near the outline of any object (eq. 9), without temperature^2.

    Args:
        frame, target: with logits of every pixel, (B, S, H, W).
        inside: bool (B, N, H, W), where each object is.

    Returns:
        Scalar, the mean over the batch.
    """
    if config.logit_weight == 0:
        return frame.full_logits.new_zeros(())
    assert target.full_logits is not None  # the objective asks for them
    near = sample_cells(inside, config.sampling, CELL * config.outline_radius).any(dim=1)  # B H W
    losses = kl_logits_loss(
        frame.full_logits, target.full_logits, config.logit_temperature, near, keep_scale=False
    )
    return losses.mean()


def _inside(masks: Tensor, object_counts: Sequence[int]) -> Tensor:
    """Ids (B, H, W) -> bool (B, N, H, W), where each object is."""
    ids = torch.arange(1, max(object_counts) + 1, device=masks.device).view(1, -1, 1, 1)
    return masks[:, None] == ids


def _of(maps: Tensor, number: int) -> Tensor:
    """The map (B, C, h, w) of an object out of (B, N or 1, C, h, w)."""
    return maps[:, min(number, maps.shape[1] - 1)]


def _mean_of_objects(losses: Tensor, object_counts: Sequence[int]) -> Tensor:
    """(B, N) -> the mean over the objects that there are; (B, 1) -> the mean."""
    if losses.shape[1] == 1:
        return losses.mean()
    counts = torch.tensor(object_counts, device=losses.device)
    there = torch.arange(losses.shape[1], device=losses.device) < counts[:, None]
    return (losses * there).sum() / counts.sum()
