"""Export to Core ML: what goes in and out is what the manifest says. It cannot be run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from networks import NARROW_STUDENT, lively_devos, lively_model, lively_stcn, small_config

from limpet.core.calibration import Calibration
from limpet.core.errors import ModelError
from limpet.export.program import Programs, make_programs
from limpet.export.writer import ExportOptions, Written
from limpet.models.fixed_size import FixedConfig
from limpet.models.inference import for_inference
from limpet.runtime.manifest import GraphSpec

from .unknown import unknown_program

TYPES = {65568: "float32", 131104: "int32"}
"""As FeatureTypes.proto numbers them."""


@pytest.fixture(scope="module")
def ct() -> Any:
    """coremltools, whose import takes longer than that of most test files."""
    return pytest.importorskip(
        "coremltools", reason="needs coremltools; install it with: pip install 'limpet[coreml]'"
    )


@pytest.fixture(scope="module")
def programs(ct: Any) -> Programs:
    model = for_inference(lively_model(small_config(encoder="mobilenet-v2")), torch.device("cpu"), "fp32")
    config = FixedConfig((60, 84), (65, 81), 3, ring=2, memory="bounded", calibration=Calibration(0.9, -0.1))
    return make_programs(model, config)


@pytest.fixture(scope="module")
def written(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    from limpet.export.coreml import write

    folder = tmp_path_factory.mktemp("coreml")
    return folder, write(programs, folder, ExportOptions("fp16"))


@pytest.mark.parametrize("graph", ["start", "step"])
def test_tensors_are_as_the_manifest_says(graph: str, ct: Any, written: tuple[Path, Written]) -> None:
    folder, facts = written
    spec: GraphSpec = getattr(facts, graph)
    model = ct.utils.load_spec(str(folder / spec.file))
    inputs = {each.name.replace(".", "_"): (each.shape, each.dtype) for each in spec.inputs}
    assert _tensors(model.description.input) == inputs
    outputs = {each.name.replace(".", "_"): (each.shape, each.dtype) for each in spec.outputs}
    found = {name.removeprefix("new_"): kind for name, kind in _tensors(model.description.output).items()}
    assert found == outputs
    assert spec.inputs[0].dtype == "float32"


def _tensors(features) -> dict[str, tuple[tuple[int, ...], str]]:
    arrays = {each.name: each.type.multiArrayType for each in features}
    return {name: (tuple(array.shape), TYPES[array.dataType]) for name, array in arrays.items()}


@pytest.mark.usefixtures("ct")
def test_an_operation_that_core_ml_lacks_is_named_with_its_layer() -> None:
    from limpet.export.coreml import to_coreml

    with pytest.raises(ModelError, match=r"Core ML cannot take the step graph: .*eig.* in .*head\.1"):
        to_coreml(unknown_program(), "fp32")


@pytest.mark.usefixtures("ct")
@pytest.mark.parametrize("family", ["mobilevos", "devos"])
def test_other_families_are_converted(family: str, tmp_path: Path) -> None:
    """No step of theirs has more than five dimensions, or sums of integers and others."""
    from limpet.export.coreml import write

    model = lively_stcn(NARROW_STUDENT) if family == "mobilevos" else lively_devos()
    ready = for_inference(model, torch.device("cpu"), "fp32")
    ring = {} if family == "mobilevos" else {"ring": 2, "memory": "bounded"}
    programs = make_programs(ready, FixedConfig((60, 84), (65, 81), 2, **ring))  # type: ignore[arg-type]
    written = write(programs, tmp_path, ExportOptions())
    assert (tmp_path / written.step.file).is_dir()
