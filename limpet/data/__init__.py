"""Data sets on disk and the training clips made of them."""

from limpet.data.folders import DavisFolder, Still, StillsFolder, VideoSequence
from limpet.data.layers import ClipBatch, ClipConfig
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
