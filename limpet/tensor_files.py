"""safetensors files with a check sum: states, weights and checkpoints all keep their facts in the header.

The format itself finds a file that was cut off, but not a bit that turned within a tensor, which would only show as
wrong masks. So the header of what limpet writes holds the CRC-32 of all the rest of the file.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from limpet.core.errors import LimpetError
from limpet.core.limits import limits, variable_of

CHECK_SUM = "crc32"
"""The name of the check sum among the facts of the header."""
_FACTS = "__metadata__"
_BLOCK = 1 << 24


def tensor_file(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> bytes:
    """A safetensors file of contiguous tensors on the CPU, with ``facts`` and a check sum in its header.

    Equal tensors and facts give equal bytes.
    """
    return with_facts(save(dict(tensors), dict(facts)), facts)


def with_facts(data: bytes, facts: Mapping[str, str]) -> bytes:
    """The same tensors, byte for byte, with other facts in the header and the check sum of the new file."""
    start, header = _header(data)
    header = {_FACTS: dict(sorted(facts.items())), **{k: v for k, v in header.items() if k != _FACTS}}
    check = zlib.crc32(memoryview(data)[start:], _check_of_header(header))
    header[_FACTS][CHECK_SUM] = f"{check:08x}"
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[start:]


def read_tensors(path: Path | str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header's facts and the tensors by name, on the CPU, as they were stored.

    Files without a check sum, of other programs and earlier versions, are read, too.

    Raises:
        SafetensorError, OSError: not a whole safetensors file, or not to be read; callers say what it should have been.
        LimpetError: it is larger than ``ReadLimits.tensor_bytes``; nothing of it was read.
    """
    nbytes, most = Path(path).stat().st_size, limits().tensor_bytes
    if nbytes > most:
        raise LimpetError(
            f"{path} has {nbytes} bytes; at most {most} are read ({variable_of('tensor_bytes')} raises this limit)"
        )
    with safe_open(path, "pt") as file:
        facts: Mapping[str, str] = file.metadata() or {}
        found = dict(facts), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    if CHECK_SUM in facts and facts[CHECK_SUM] != _check_of_file(Path(path)):
        raise SafetensorError("its check sum does not match, so it is damaged or was changed")
    found[0].pop(CHECK_SUM, None)
    return found


def _header(data: bytes) -> tuple[int, dict[str, Any]]:
    """Where the tensors of a safetensors file begin, and its header."""
    start = 8 + int.from_bytes(data[:8], "little")
    return start, json.loads(data[8:start])


def _check_of_header(header: Mapping[str, Any]) -> int:
    facts = {name: value for name, value in header[_FACTS].items() if name != CHECK_SUM}
    return zlib.crc32(json.dumps({**header, _FACTS: facts}, sort_keys=True).encode())


def _check_of_file(path: Path) -> str:
    """Of a file whose header was found to be valid."""
    with path.open("rb") as file:
        length = file.read(8)
        _, header = _header(length + file.read(int.from_bytes(length, "little")))
        check = _check_of_header(header)
        while block := file.read(_BLOCK):
            check = zlib.crc32(block, check)
    return f"{check:08x}"
