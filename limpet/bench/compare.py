"""Two reports side by side: what has become slower, and what faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from limpet.bench.report import BenchReport, StageFacts

NOISE = 0.03
"""Quiet runs differ by as much; below it nothing is called slower or faster."""
_MUST_AGREE = (
    "what", "model", "engine", "precision", "device", "threads", "frame_size", "network_size", "objects", "memory",
    "overlay",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A figure that both reports have; less is better. verdict: "slower", "faster", "more", "less" or ""."""

    name: str
    unit: str
    old: float
    new: float
    verdict: str

    @property
    def ratio(self) -> float:
        """New over old."""
        return self.new / self.old

    @property
    def is_worse(self) -> bool:
        """Whether the figure has become larger by more than noise."""
        return self.verdict in ("slower", "more")


@dataclass(frozen=True)
class Comparison:
    """changes: figure by figure. differences: settings and circumstances that are not the same, in words."""

    changes: tuple[Change, ...]
    differences: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What has become slower or larger."""
        return tuple(change for change in self.changes if change.is_worse)


def compare(old: BenchReport, new: BenchReport) -> Comparison:
    """Compare two reports of ``limpet bench``.

    A stage is called slower or faster where the quartiles of both do not overlap and the medians differ by more than
    NOISE; memory where it differs by more than NOISE.
    """
    before = {row.name: row for row in old.stages}
    changes = [_time(before[row.name], row) for row in new.stages if row.name in before]
    if new.whole.name in before:
        was, now = before[new.whole.name], new.whole
        changes.append(_change(f"CPU, {now.name}", "ms", was.cpu_ms, now.cpu_ms, ("more", "less")))
    for key, name in (("peak_mb", "peak memory"), ("state_mb", "state"), ("weights_mb", "weights")):
        a, b = getattr(old.memory, key), getattr(new.memory, key)
        if a and b:
            changes.append(_change(name, "MB", a, b, ("more", "less")))
    return Comparison(tuple(change for change in changes if change.old > 0), _differences(old, new))


def _time(old: StageFacts, new: StageFacts) -> Change:
    was, now = old.ms, new.ms
    apart = now.quartile_1 > was.quartile_3 or now.quartile_3 < was.quartile_1
    return _change(new.name, "ms", was.median, now.median, ("slower", "faster") if apart else ("", ""))


def _change(name: str, unit: str, old: float, new: float, words: tuple[str, str]) -> Change:
    verdict = words[0] if new > old * (1 + NOISE) else words[1] if new < old * (1 - NOISE) else ""
    return Change(name, unit, old, new, verdict)


def _differences(old: BenchReport, new: BenchReport) -> tuple[str, ...]:
    pairs = [(name.replace("_", " "), getattr(old.run, name), getattr(new.run, name)) for name in _MUST_AGREE]
    pairs.append(("processor", old.machine.cpu, new.machine.cpu))
    found = [f"{name} was {_text(was)}, is {_text(now)}" for name, was, now in pairs if was != now]
    then, now = (report.time.cores_used_by_others for report in (old, new))
    if then is not None and now is not None and abs(then - now) > 0.1:
        found.append(f"other programs used {then:.1f} cores then, {now:.1f} now")
    return tuple(found)


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
