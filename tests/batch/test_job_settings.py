"""Settings of a job: those of ``limpet track``, and which of them exclude each other."""

from __future__ import annotations

import inspect

import pytest

from limpet.batch.job_settings import LOAD, JobSettings
from limpet.cli.track import track_command
from limpet.core.errors import DataError


def test_settings_are_those_of_limpet_track() -> None:
    """By name and default: what the command offers and a job cannot have are streams, folders and the device."""
    command = {each.name: each.default for each in inspect.signature(track_command).parameters.values()}
    settings = {name: each.default for name, each in JobSettings.__dataclass_fields__.items()}
    others = {"context", "video", "mask", "out", "add", "device", "live", "overwrite", "resume"}
    assert command.keys() - others == settings.keys()
    command["scales"] = (1.0,)
    assert {name: command[name] for name in settings} == settings
    assert set(LOAD) < settings.keys()


def test_a_bundle_has_settings_of_its_own() -> None:
    assert JobSettings(bundle="b", runtime="onnx", precision="fp32").bundle == "b"
    with pytest.raises(
        DataError, match="max_size does not go with a bundle, which was exported with its own"
    ):
        JobSettings(bundle="b", max_size=320)
    with pytest.raises(DataError, match="runtime is 'onnx', but no bundle is given"):
        JobSettings(runtime="onnx")
