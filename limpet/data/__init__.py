"""Data sets on disk, and the training clips that are made of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from limpet.data.config import ClipConfig

if TYPE_CHECKING:
    from limpet.data.datasets import VideoSequence, VideoSet, evaluation_videos, training_videos
    from limpet.data.stills import Still, StillsFolder
    from limpet.data.training_clips import ClipBatch, TrainingClips

__all__ = [
    "ClipBatch",
    "ClipConfig",
    "Still",
    "StillsFolder",
    "TrainingClips",
    "VideoSequence",
    "VideoSet",
    "evaluation_videos",
    "training_videos",
]

_LATER = {
    "ClipBatch": "limpet.data.training_clips",
    "Still": "limpet.data.stills",
    "StillsFolder": "limpet.data.stills",
    "TrainingClips": "limpet.data.training_clips",
    "VideoSequence": "limpet.data.datasets",
    "VideoSet": "limpet.data.datasets",
    "evaluation_videos": "limpet.data.datasets",
    "training_videos": "limpet.data.datasets",
}


def __getattr__(name: str) -> object:
    # Some of these import torch; the command line makes its options from ClipConfig without it.
    if name not in _LATER:
        raise AttributeError(f"module 'limpet.data' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
