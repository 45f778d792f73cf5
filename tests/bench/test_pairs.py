"""Gains and losses between measurements that differ in one thing."""

from __future__ import annotations

import copy
from typing import Any

from limpet.bench.pairs import pairs_table

from .reports import report


def timed(ms: float, peak: float = 400.0, **run: Any) -> dict[str, Any]:
    found = copy.deepcopy(report(**run))
    found["time"]["ms"]["median"] = ms
    found["memory"]["peak_mb"] = peak
    return found


def test_each_is_set_beside_its_plain_counterpart() -> None:
    rows = {
        "a": timed(10, precision="fp32"),
        "b": timed(5),
        "c": timed(4, model="deaot-t-deformable"),
        "d": timed(20, 300, engine="onnxruntime 1.2", precision="fp32"),
        "e": timed(20, 500, engine="openvino 3.4"),
        "f": timed(99, objects=10),
    }
    assert pairs_table(rows).splitlines()[2:] == [
        "| deaot-t, torch, bf16 | fp32 | 481x849 | 3 | 2.00 | 1.00 | 1.00 |",
        "| deaot-t-deformable, torch, bf16 | deaot-t | 481x849 | 3 | 1.25 | 1.00 | 1.00 |",
        "| deaot-t, onnxruntime, fp32 | torch, fp32 | 481x849 | 3 | **0.50** | 1.00 | 0.75 |",
        "| deaot-t, openvino, bf16 | torch, bf16 | 481x849 | 3 | **0.25** | 1.00 | **1.25** |",
    ]


def test_nothing_to_compare() -> None:
    assert pairs_table({"a": timed(1)}).startswith("No two measurements")
