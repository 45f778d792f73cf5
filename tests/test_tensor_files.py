"""Files of tensors: every byte counts, and files without a check sum are read too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from limpet.tensor_files import read_tensors, tensor_file, with_facts

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3).bfloat16(),
    "b": torch.tensor([1, -2]),
    "empty": torch.zeros(0),
}
FACTS = {"format": "of a test", "facts": '{"é": 1}'}


def written(folder: Path, data: bytes) -> Path:
    (folder / "t.safetensors").write_bytes(data)
    return folder / "t.safetensors"


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_was_written_is_read_and_the_format_stays_that_of_safetensors(tmp_path: Path) -> None:
    data = tensor_file(TENSORS, FACTS)
    facts, tensors = read_tensors(written(tmp_path, data))
    assert facts == FACTS and same(tensors, TENSORS)
    assert same(load(data), TENSORS)


def test_equal_content_gives_equal_bytes() -> None:
    assert tensor_file(TENSORS, FACTS) == tensor_file(dict(reversed(TENSORS.items())), FACTS)
    assert tensor_file(TENSORS, FACTS) != tensor_file(TENSORS, FACTS | {"more": "x"})


def test_other_facts_change_no_tensor(tmp_path: Path) -> None:
    facts, tensors = read_tensors(
        written(tmp_path, with_facts(tensor_file(TENSORS, FACTS), {"only": "this"}))
    )
    assert facts == {"only": "this"} and same(tensors, TENSORS)


def test_every_turned_bit_and_every_cut_is_told(tmp_path: Path) -> None:
    data = tensor_file(TENSORS, FACTS)
    right = read_tensors(written(tmp_path, data))
    for place in range(len(data)):
        for damaged in (
            data[:place],
            data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :],
        ):
            try:
                facts, tensors = read_tensors(written(tmp_path, damaged))
            except SafetensorError:
                continue
            assert facts.items() >= right[0].items() and same(tensors, right[1]), (
                place
            )  # in the sum's own name


def test_a_turned_bit_of_a_tensor_is_told_in_words(tmp_path: Path) -> None:
    data = bytearray(tensor_file(TENSORS, FACTS))
    data[-1] ^= 1
    with pytest.raises(SafetensorError, match="check sum does not match"):
        read_tensors(written(tmp_path, bytes(data)))


def test_files_without_a_check_sum_are_read(tmp_path: Path) -> None:
    facts, tensors = read_tensors(written(tmp_path, save(TENSORS, FACTS)))
    assert facts == FACTS and same(tensors, TENSORS)
    assert read_tensors(written(tmp_path, save(TENSORS)))[0] == {}
