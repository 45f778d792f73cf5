"""Data sets on disk and the training clips made of them."""

from limpet.data.clip import ClipBatch, ClipConfig
from limpet.data.clips import TrainingClips, VideoFolder
from limpet.data.folders import DavisFolder, Still, StillsFolder, VideoSequence
from limpet.data.youtube import YoutubeFolder, video_folder

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
