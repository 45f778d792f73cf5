"""Export to Core ML: what goes in and out is what the manifest says. It cannot be run here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import lively_model, small_config
from torch import Tensor, nn

from limpet.errors import ModelError
from limpet.export.backends import ExportOptions, Written
from limpet.export.program import Program, Programs, make_programs
from limpet.models.fixed import FixedConfig
from limpet.models.inference import for_inference
from limpet.runtime.manifest import GraphSpec, TensorSpec

ct = pytest.importorskip(
    "coremltools", reason="needs coremltools; install it with: pip install 'limpet[coreml]'"
)

TYPES = {65568: "float32", 131104: "int32"}
"""As FeatureTypes.proto numbers them."""


@pytest.fixture(scope="module")
def programs() -> Programs:
    model = for_inference(lively_model(small_config()), torch.device("cpu"), "fp32")
    return make_programs(model, FixedConfig((60, 84), (65, 81), objects=3))


@pytest.fixture(scope="module")
def written(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    from limpet.export.coreml import write

    folder = tmp_path_factory.mktemp("coreml")
    return folder, write(programs, folder, ExportOptions("fp16"))


@pytest.mark.parametrize("graph", ["begin", "step"])
def test_tensors_are_as_the_manifest_says(graph: str, written: tuple[Path, Written]) -> None:
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


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(x)


class Unknown(nn.Module):
    """An operation that Core ML lacks, two layers down."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.ReLU(), Spectrum())

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.head(image),)


def test_an_operation_that_core_ml_lacks_is_named_with_its_layer() -> None:
    from limpet.export.coreml import to_coreml

    image, result = TensorSpec("image", (1, 4, 4), "float32"), TensorSpec("mask", (1, 4), "float32")
    unknown = Program("step", Unknown(), (torch.ones(1, 4, 4),), (image,), (result,))
    with pytest.raises(ModelError, match=r"Core ML cannot take the step graph: .*eig.* in .*head\.1"):
        to_coreml(unknown, "fp32")
