"""Where trained weights of the official code are published, and what their files are called. Nothing is downloaded."""

from __future__ import annotations

ZOO = "https://github.com/yoxu515/aot-benchmark/blob/main/MODEL_ZOO.md"
OFFICIAL_NAMES = {
    "deaot-t": "DeAOTT",
    "deaot-s": "DeAOTS",
    "deaot-b": "DeAOTB",
    "deaot-l": "DeAOTL",
    "r50-deaot-l": "R50_DeAOTL",
    "swin-b-deaot-l": "SwinB_DeAOTL",
    "aot-t": "AOTT",
    "aot-s": "AOTS",
    "aot-b": "AOTB",
    "aot-l": "AOTL",
    "r50-aot-l": "R50_AOTL",
    "swin-b-aot-l": "SwinB_AOTL",
}


def official_file(model: str) -> str | None:
    """The file of the weights trained on photos, YouTube-VOS and DAVIS; None if none are published for ``model``."""
    name = OFFICIAL_NAMES.get(model)
    return None if name is None else f"{name}_PRE_YTB_DAV.pth"
