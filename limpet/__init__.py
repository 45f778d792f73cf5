"""limpet: semi-supervised video object segmentation (VOS).

It propagates the masks of one frame through a whole video.

>>> import numpy as np, limpet
>>> tracker = limpet.load(device="cpu")
>>> frame = np.zeros((96, 128, 3), np.uint8)
>>> mask = np.zeros((96, 128), np.uint8)
>>> mask[32:64, 40:80] = 7
>>> state = tracker.start(frame, mask)
>>> mask, state = tracker.step(frame, state)
>>> mask.shape, list(state.confidence)
((96, 128), [7])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from limpet.core.cpu import let_waiting_threads_sleep
from limpet.core.errors import LimpetError
from limpet.core.provenance import VERSION

if TYPE_CHECKING:
    from limpet.batch.config import BatchConfig
    from limpet.batch.job import BatchJob
    from limpet.batch.job_settings import JobSettings
    from limpet.batch.run_batch import BatchResult, run_batch
    from limpet.data.config import ClipConfig
    from limpet.distillation.config import DistillationConfig
    from limpet.distillation.distill_model import distill
    from limpet.distillation.label_clip import LabelConfig
    from limpet.evaluation.evaluate_model import evaluate
    from limpet.evaluation.scores import Scores
    from limpet.project import Project
    from limpet.runtime.exported_tracker import load_exported
    from limpet.state import TrackerState
    from limpet.tracking.batched_tracker import BatchedTracker
    from limpet.tracking.load import load
    from limpet.tracking.track_video import TrackResult, track
    from limpet.tracking.tracker import Tracker
    from limpet.tracking.visualise_attention import VisualiseConfig, VisualiseResult, visualise
    from limpet.training.config import TrainConfig
    from limpet.training.train_model import TrainResult, train

__version__ = VERSION
let_waiting_threads_sleep()

__all__ = [
    "BatchConfig",
    "BatchJob",
    "BatchResult",
    "BatchedTracker",
    "ClipConfig",
    "DistillationConfig",
    "JobSettings",
    "LabelConfig",
    "LimpetError",
    "Project",
    "Scores",
    "TrackResult",
    "Tracker",
    "TrackerState",
    "TrainConfig",
    "TrainResult",
    "VisualiseConfig",
    "VisualiseResult",
    "__version__",
    "distill",
    "evaluate",
    "list_models",
    "load",
    "load_exported",
    "run_batch",
    "track",
    "train",
    "visualise",
]


def list_models() -> list[str]:
    """Names of all models, in the order of ``limpet models``.

    >>> import limpet
    >>> limpet.list_models()[:2]
    ['deaot-t', 'deaot-s']
    """
    from limpet.registry import entries

    return [entry.name for entry in entries()]


_LATER = {
    "BatchConfig": "limpet.batch.config",
    "BatchJob": "limpet.batch.job",
    "BatchResult": "limpet.batch.run_batch",
    "BatchedTracker": "limpet.tracking.batched_tracker",
    "ClipConfig": "limpet.data.config",
    "DistillationConfig": "limpet.distillation.config",
    "JobSettings": "limpet.batch.job_settings",
    "LabelConfig": "limpet.distillation.label_clip",
    "Project": "limpet.project",
    "Scores": "limpet.evaluation.scores",
    "TrackResult": "limpet.tracking.track_video",
    "Tracker": "limpet.tracking.tracker",
    "TrackerState": "limpet.state",
    "TrainConfig": "limpet.training.config",
    "TrainResult": "limpet.training.train_model",
    "VisualiseConfig": "limpet.tracking.visualise_attention",
    "VisualiseResult": "limpet.tracking.visualise_attention",
    "distill": "limpet.distillation.distill_model",
    "evaluate": "limpet.evaluation.evaluate_model",
    "load": "limpet.tracking.load",
    "load_exported": "limpet.runtime.exported_tracker",
    "run_batch": "limpet.batch.run_batch",
    "track": "limpet.tracking.track_video",
    "train": "limpet.training.train_model",
    "visualise": "limpet.tracking.visualise_attention",
}


def __getattr__(name: str) -> object:
    # Most of these import torch, which takes seconds; `import limpet` and `limpet --help` do not wait for it.
    if name not in _LATER:
        raise AttributeError(f"module 'limpet' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
