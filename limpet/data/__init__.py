"""Data sets on disk and the training clips made of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from limpet.data.config import ClipConfig

if TYPE_CHECKING:
    from limpet.data.folders import DavisFolder, Still, StillsFolder, VideoSequence
    from limpet.data.layers import ClipBatch
    from limpet.data.training_clips import TrainingClips, VideoFolder
    from limpet.data.youtube_vos import YoutubeFolder, video_folder

__all__ = [
    "ClipBatch",
    "ClipConfig",
    "DavisFolder",
    "Still",
    "StillsFolder",
    "TrainingClips",
    "VideoFolder",
    "VideoSequence",
    "YoutubeFolder",
    "video_folder",
]

_LATER = {
    "ClipBatch": "limpet.data.layers",
    "DavisFolder": "limpet.data.folders",
    "Still": "limpet.data.folders",
    "StillsFolder": "limpet.data.folders",
    "TrainingClips": "limpet.data.training_clips",
    "VideoFolder": "limpet.data.training_clips",
    "VideoSequence": "limpet.data.folders",
    "YoutubeFolder": "limpet.data.youtube_vos",
    "video_folder": "limpet.data.youtube_vos",
}


def __getattr__(name: str) -> object:
    # These import torch; the command line makes its options from ClipConfig without it.
    if name not in _LATER:
        raise AttributeError(f"module 'limpet.data' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
