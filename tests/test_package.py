"""The public names of the package, and what asking for them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import limpet


def test_listing_models_builds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr("torch.nn.Module.__init__", refuse)
    assert limpet.list_models()[:4] == ["deaot-t", "deaot-s", "deaot-b", "deaot-l"]


def test_importing_the_package_and_the_command_line_brings_no_torch_along() -> None:
    heavy = ("torch", "cv2", "av", "limpet.models", "limpet.tracking")
    code = f"import sys, limpet.cli.main; print([name for name in sys.modules if name.startswith({heavy})])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in limpet.__all__:
        assert getattr(limpet, name) is not None
    assert limpet.__version__[0].isdigit()


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'limpet' has no attribute 'trakcer'"):
        limpet.trakcer  # noqa: B018
