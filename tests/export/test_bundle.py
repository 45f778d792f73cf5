"""Bundles appear whole or not at all, and what cannot be made is told before work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import ModelError, OutputError
from limpet.export.bundle import ExportPlan, export, new_folder
from limpet.export.writer import ExportOptions
from limpet.runtime.backends import find_backend
from limpet.runtime.manifest import NAME


def test_a_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "bundle"
    with new_folder(out, overwrite=False) as folder:
        (folder / NAME).write_text("{}")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == [NAME]
    assert list(out.parent.iterdir()) == [out]


def test_a_failure_leaves_the_earlier_bundle(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / NAME).write_text("earlier")
    with pytest.raises(ModelError), new_folder(out, overwrite=True) as folder:
        (folder / NAME).write_text("half")
        raise ModelError("no")
    assert (out / NAME).read_text() == "earlier" and list(tmp_path.iterdir()) == [out]
    with new_folder(out, overwrite=True) as folder:
        (folder / NAME).write_text("later")
    assert (out / NAME).read_text() == "later" and list(tmp_path.iterdir()) == [out]


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "photos"
    out.mkdir()
    (out / "cat.jpg").write_text("dear")
    with pytest.raises(OutputError, match="pass --overwrite"), new_folder(out, overwrite=False):
        pass
    with pytest.raises(OutputError, match="is not a bundle"), new_folder(out, overwrite=True):
        pass
    assert (out / "cat.jpg").read_text() == "dear"


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (ExportPlan("deaot-t", "flash", (60, 84)), "no format 'flash'.*onnx"),
        (ExportPlan("deaot-t", "onnx", (60, 84), options=ExportOptions("bf16")), "cannot be written in bf16"),
        (ExportPlan("deaot-t", "torch", None), "torch cannot leave the size open"),
        (ExportPlan("deaot-t", "onnx", None, options=ExportOptions("int8")), "frames of one size"),
        (ExportPlan("deaot-t", "onnx", (60, 84), options=ExportOptions(compiled=True)), "only torch's"),
        (ExportPlan("deaot-nano", "onnx", (60, 84), objects=11), "10 slots for objects, 11"),
        (ExportPlan("deaot-x", "onnx", (60, 84)), "no model called 'deaot-x'"),
    ],
)
def test_what_cannot_be_made(plan: ExportPlan, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=sentence):
        export(plan, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_every_backend_says_what_it_is() -> None:
    assert find_backend("openvino").dynamic and "int8" in find_backend("openvino").precisions
