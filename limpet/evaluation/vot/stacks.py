"""The stacks of VOT that limpet knows: which experiments a challenge has, and what is measured in each.

A *multistart* experiment starts the tracker at every anchor of a sequence and runs to its end, or backwards to its
beginning; an *unsupervised* one starts it once, in the first frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from limpet.core.errors import DataError

Kind = Literal["multistart", "unsupervised"]
EAO_INTERVAL = (115, 755)
"""Lengths of a run, in frames, over which the expected average overlap is averaged in VOT 2020 to 2022."""
REALTIME_GRACE = 3
"""So often a frame may take longer than it lasts, before frames are missed."""


@dataclass(frozen=True)
class VotExperiment:
    """One experiment of a stack.

    realtime: whether frames are missed while the tracker is slower than the video.
    """

    kind: Kind
    realtime: bool = False


@dataclass(frozen=True)
class VotStack:
    """A challenge.

    title: as reports show it.
    experiments: by name, as its results lie below ``results/TRACKER``.
    multiobject: whether the tracker is given all objects at once.
    official: its name in the toolkit, which knows where the data is; "" for a stack of one's own data.
    """

    title: str
    experiments: Mapping[str, VotExperiment]
    multiobject: bool
    official: str = ""

    def as_config(self, interval: tuple[int, int] = EAO_INTERVAL) -> dict[str, Any]:
        """The stack as the toolkit reads it from a workspace's config.yaml, without a place to download data from."""
        return {
            "title": self.title,
            "experiments": {
                name: self._experiment(each, interval) for name, each in self.experiments.items()
            },
        }

    def _experiment(self, experiment: VotExperiment, interval: tuple[int, int]) -> dict[str, Any]:
        low, high = interval
        found: dict[str, Any] = {"type": experiment.kind}
        if experiment.realtime:
            found["realtime"] = {"grace": REALTIME_GRACE}
        if experiment.kind == "multistart":
            found["analyses"] = [
                {"type": "multistart_eao_score", "name": "eaoscore", "low": low, "high": high},
                {"type": "multistart_eao_curve", "name": "eaocurve", "high": high},
                {"type": "multistart_average_ar", "name": "ar"},
            ]
        elif self.multiobject:
            quality = {"burnin": 0, "ignore_unknown": False, "weighted": False}
            found |= {"repetitions": 1, "multiobject": True}
            found["analyses"] = [
                {"type": "average_accuracy", "name": "quality", **quality},
                {"type": "longterm_ar", "name": "ar"},
                {"type": "average_quality_auxiliary", "name": "auxiliary"},
            ]
        else:
            found |= {
                "repetitions": 1,
                "analyses": [{"type": "average_accuracy", "name": "accuracy", "burnin": 1}],
            }
        return found


SHORT_TERM = {
    "baseline": VotExperiment("multistart"),
    "realtime": VotExperiment("multistart", realtime=True),
    "unsupervised": VotExperiment("unsupervised"),
}
MULTI_OBJECT = {"baseline": VotExperiment("unsupervised")}
MULTI_OBJECT_REALTIME = {"realtime": VotExperiment("unsupervised", realtime=True)}

STACKS: dict[str, VotStack] = {
    "short-term": VotStack("Short-term tracking, one object, own data", SHORT_TERM, False),
    "vots": VotStack("Tracking of several objects, own data", MULTI_OBJECT | MULTI_OBJECT_REALTIME, True),
    **{
        f"vot{year}/shortterm": VotStack(
            f"VOT-ST{year} segmentation challenge", SHORT_TERM, False, f"vot{year}/shortterm"
        )
        for year in (2020, 2021, 2022)
    },
    **{
        name: VotStack(f"{name} challenge", MULTI_OBJECT, True, name)
        for name in ("vots2023", "vots2024/main", "vots2024/votst", "vots2025/main")
    },
    "vots2025/realtime": VotStack(
        "vots2025/realtime challenge", MULTI_OBJECT | MULTI_OBJECT_REALTIME, True, "vots2025/realtime"
    ),
}
"""Stacks by name: two for data of one's own, and those of the toolkit whose regions are masks."""


def find_stack(name: str) -> VotStack:
    """The stack of a name. Raises DataError where there is none."""
    if name not in STACKS:
        raise DataError(f"there is no VOT stack {name!r} here; the choices are: {', '.join(STACKS)}")
    return STACKS[name]
