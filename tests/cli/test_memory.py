"""`limpet track --memory --memory-budget`: they reach the tracker, and mistakes are told in a sentence."""

from __future__ import annotations

from pathlib import Path

from .command import Limpet


def test_a_policy_and_a_budget(limpet: Limpet, clip: Path, mask: Path, weights: Path) -> None:
    command = ("track", clip, "--mask", mask, "--weights", weights, "--overwrite", "--no-overlay")
    limpet(*command, "--memory", "bounded", "--memory-budget", "50").succeeded()
    limpet(*command, "--memory", "bounded", "--memory-budget", "0.01").refused("smallest that works is", "MB")


def test_policies_and_budgets_that_are_none(limpet: Limpet, clip: Path, mask: Path, weights: Path) -> None:
    command = ("track", clip, "--mask", mask, "--weights", weights)
    limpet(*command, "--memory", "rnig").refused("'rnig'", "the policies are: first, official, ring, bounded")
    limpet(*command, "--memory-budget", "0").refused(
        "the memory budget is 0 MB; expected a number of MB above 0"
    )
    limpet(*command, "--memory-budget", "nan").refused("the memory budget is nan MB")
