"""The settings of a batch, and how many workers a machine takes."""

from __future__ import annotations

import pytest

from limpet.batch.config import BatchConfig, cuda_devices, devices_of
from limpet.core.errors import DataError


def test_how_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limpet.batch.config.cuda_devices", lambda: 0)
    monkeypatch.setattr("limpet.batch.config.usable_cores", lambda: 8)
    monkeypatch.setattr("limpet.batch.config._free_memory", lambda: 100 * 10**9)
    assert devices_of(BatchConfig(), 100) == ["auto"] * 8
    assert devices_of(BatchConfig(threads=4), 100) == ["auto"] * 2
    assert devices_of(BatchConfig(threads=0, device="cpu"), 100) == ["cpu"]
    assert devices_of(BatchConfig(), 3) == ["auto"] * 3
    assert devices_of(BatchConfig(workers=20), 100) == ["auto"] * 20
    monkeypatch.setattr("limpet.batch.config._free_memory", lambda: 4 * 10**9)
    assert devices_of(BatchConfig(), 100) == ["auto"] * 2
    monkeypatch.setattr("limpet.batch.config.cuda_devices", lambda: 2)
    assert devices_of(BatchConfig(), 100) == ["cuda:0", "cuda:1"]
    assert devices_of(BatchConfig(workers=3, device="cuda"), 100) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices_of(BatchConfig(device="cuda:1", workers=2), 100) == ["cuda:1"] * 2


def test_settings_out_of_their_bounds() -> None:
    with pytest.raises(DataError, match="workers is 0, expected a number of at least 1"):
        BatchConfig(workers=0)
    with pytest.raises(DataError, match="time_limit is 0, expected a number above 0"):
        BatchConfig(time_limit=0)


def test_gpus_are_counted_as_torch_counts_them() -> None:
    import torch

    if torch.version.cuda is None:
        pytest.skip("this torch knows no CUDA")
    assert cuda_devices() == torch.cuda.device_count()
