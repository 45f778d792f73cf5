"""How far a student is from its teacher: functions of tensors, which know no model."""

from limpet.distillation.losses.attention_transfer import attention_transfer_loss
from limpet.distillation.losses.cka import cka_loss
from limpet.distillation.losses.combined import DistillationLoss, distillation_loss
from limpet.distillation.losses.dist import dist_losses, inter_object_loss, intra_object_loss
from limpet.distillation.losses.kl import kl_attention_loss, kl_logits_loss
from limpet.distillation.losses.projections import HintLoss, ProjectorEnsembleLoss
from limpet.distillation.losses.representation import representation_loss

__all__ = [
    "DistillationLoss",
    "HintLoss",
    "ProjectorEnsembleLoss",
    "attention_transfer_loss",
    "cka_loss",
    "dist_losses",
    "distillation_loss",
    "inter_object_loss",
    "intra_object_loss",
    "kl_attention_loss",
    "kl_logits_loss",
    "representation_loss",
]
