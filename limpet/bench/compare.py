"""Two reports side by side: what became slower, what faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOISE = 0.03
"""Quiet runs differ by so much; below it nothing is called slower or faster."""
_MUST_AGREE = (
    "what", "model", "engine", "precision", "device", "threads", "frame_size", "network_size", "objects", "memory",
    "overlay",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One figure of both reports, of which less is better. verdict: "slower", "faster", "more", "less" or ""."""

    name: str
    unit: str
    old: float
    new: float
    verdict: str

    @property
    def ratio(self) -> float:
        """New over old."""
        return self.new / self.old


@dataclass(frozen=True)
class Comparison:
    """changes: figure by figure. differences: settings and circumstances that are not the same, in words."""

    changes: tuple[Change, ...]
    differences: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What became slower or larger."""
        return tuple(change for change in self.changes if change.verdict in ("slower", "more"))


def compare(old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    """Compare two reports of ``bench``.

    A stage is called slower or faster where its quartiles lie apart from those of before, and the medians by more than
    NOISE; memory where it differs by more than NOISE.
    """
    before = {row["name"]: row for row in old["stages"]}
    changes = [_time(before[row["name"]], row) for row in new["stages"] if row["name"] in before]
    changes += [
        _change(f"CPU, {row['name']}", "ms", before[row["name"]]["cpu_ms"], row["cpu_ms"], ("more", "less"))
        for row in new["stages"][-1:]
        if row["name"] in before
    ]
    for key, name in (("peak_mb", "peak memory"), ("state_mb", "state"), ("weights_mb", "weights")):
        a, b = old["memory"][key], new["memory"][key]
        if a and b:
            changes.append(_change(name, "MB", a, b, ("more", "less")))
    return Comparison(tuple(change for change in changes if change.old > 0), _differences(old, new))


def _time(old: dict[str, Any], new: dict[str, Any]) -> Change:
    was, now = old["ms"], new["ms"]
    apart = now["quartile_1"] > was["quartile_3"] or now["quartile_3"] < was["quartile_1"]
    words = ("slower", "faster") if apart else ("", "")
    return _change(new["name"], "ms", was["median"], now["median"], words)


def _change(name: str, unit: str, old: float, new: float, words: tuple[str, str]) -> Change:
    verdict = words[0] if new > old * (1 + NOISE) else words[1] if new < old * (1 - NOISE) else ""
    return Change(name, unit, old, new, verdict)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    found = [
        f"{name.replace('_', ' ')} was {_text(old['run'].get(name))}, is {_text(new['run'].get(name))}"
        for name in _MUST_AGREE
        if old["run"].get(name) != new["run"].get(name)
    ]
    if old["machine"]["cpu"] != new["machine"]["cpu"]:
        found.append(f"the processor was {old['machine']['cpu']}, is {new['machine']['cpu']}")
    others = [report["time"]["cores_of_others"] for report in (old, new)]
    if None not in others and abs(others[0] - others[1]) > 0.1:
        found.append(f"others took {others[0]:.1f} cores then, {others[1]:.1f} now")
    return tuple(found)


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
