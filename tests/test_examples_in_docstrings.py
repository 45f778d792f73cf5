"""The examples in the docstrings of the public names run, and what they print is what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import limpet

INNER = ("limpet.core.errors",)
"""Modules whose examples show how parts of the package are used by others."""


def examples_of(target: object) -> list[doctest.DocTest]:
    module = target if inspect.ismodule(target) else inspect.getmodule(target)
    name = getattr(target, "__name__", None)
    found = doctest.DocTestFinder().find(target, name, module, extraglobs={"limpet": limpet})
    return [test for test in found if test.examples]


def run(tests: list[doctest.DocTest]) -> None:
    for test in tests:
        failures: list[str] = []
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=failures.append)
        assert not failures, "".join(failures)


@pytest.mark.parametrize("name", [name for name in limpet.__all__ if not name.startswith("__")])
def test_examples_of_public_names_run(name: str) -> None:
    tests = examples_of(getattr(limpet, name))
    assert tests, f"limpet.{name} has no example in its docstring"
    run(tests)


def test_the_example_of_the_package_runs() -> None:
    """What is imported later has examples of its own."""
    (test,) = [each for each in examples_of(limpet) if each.name == "limpet"]
    run([test])


@pytest.mark.parametrize("name", INNER)
def test_examples_of_modules_run(name: str) -> None:
    tests = examples_of(importlib.import_module(name))
    assert tests
    run(tests)


def test_an_example_that_is_wrong_is_found() -> None:
    def wrong() -> None:
        """
        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Expected"):
        run(examples_of(wrong))
