"""Which operation, and which layer of the model, a graph could not be made or written for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import nn
from torch.export import ExportedProgram

PREFIX = re.compile(r"^(?:tracker\.)*(?:model\.)?")


def operator_and_layer(error: BaseException, exported: ExportedProgram) -> str | None:
    """``aten.x.default in layers.0.long_term`` for the node that an error names; None if it names none."""
    for message in _chain(error):
        named = re.search(r"translating node %(\w+)", message)
        if named:
            nodes = {node.name: node for node in exported.run_decompositions().graph.nodes}
            node = nodes.get(named[1])
            return f"{node.target} in {layer_of(node)}" if node is not None else named[1]
    return None


def layer_of(node: torch.fx.Node) -> str:
    """The module whose forward pass called the operator, as the model names it."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next((str(path) for path, _ in reversed(stack.values()) if path), "")
    return PREFIX.sub("", path) or "the tracker itself"


def layer_that_raised(error: BaseException, module: nn.Module) -> str:
    """The innermost layer of ``module`` that was running when the error came."""
    names = {id(layer): name for name, layer in module.named_modules()}
    found, trace = "", error.__traceback__
    while trace is not None:
        found = names.get(id(trace.tb_frame.f_locals.get("self")), found)
        trace = trace.tb_next
    return PREFIX.sub("", found) or "the tracker itself"


def first_line(error: BaseException) -> str:
    """What stands in the first line that says something; of a chain of errors, in the one that began it."""
    last = list(_chain(error))[-1]
    return next((line.strip() for line in last.splitlines() if line.strip()), type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
