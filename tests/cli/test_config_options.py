"""Options that are made from configurations: every field arrives, with its default, its help and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

import limpet as package
from limpet.cli.config_options import with_options
from limpet.core.config_fields import Setting, build, option, settings_of, value_at
from limpet.distillation.config import DistillationConfig
from limpet.training.config import TrainConfig
from limpet.training.train_model import TrainResult

from .command import Limpet, program

TRAIN, DISTILL = settings_of(TrainConfig), settings_of(DistillationConfig)
COMMANDS = program().commands


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the commands ask of the library; nothing is trained."""
    found: list[dict[str, Any]] = []

    def train(out: Path, config: TrainConfig, **options: Any) -> TrainResult:
        found.append({"training": config, **options})
        return TrainResult(out, out / "w", None)

    def distill(out: Path, videos: list[str], **options: Any) -> TrainResult:
        found.append(options)
        return TrainResult(out, out / "w", None)

    monkeypatch.setattr(package, "train", train, raising=False)
    monkeypatch.setattr(package, "distill", distill, raising=False)
    return found


def another(setting: Setting) -> tuple[Any, list[str]]:
    """A value that is not the default, and the words that give it."""
    value = setting.default
    if setting.option.parse is not None:
        return (setting.option.parse("0:2:self"),), ["0:2:self"]
    if setting.option.choices:
        others = [choice for choice in setting.option.choices if choice not in (value, "none", "cached")]
        value = others[0] if others else value
    elif isinstance(value, bool):
        return True, []
    elif isinstance(value, tuple):
        value = tuple(type(each)(each * 2 if each else 1) for each in value)
        value = tuple(min(each, setting.option.max) for each in value) if setting.option.max else value
    elif isinstance(value, float):
        value = value / 2 or 0.5
        value = value if setting.option.allows(value) else 2 * setting.default
    elif isinstance(value, str):
        value = "aot-t"
    else:
        value = {"size": 257}.get(setting.name) or (value or 0) + 1
    return value, [str(each) for each in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize("setting", TRAIN, ids=lambda setting: setting.flag)
def test_every_setting_of_a_training_arrives(
    limpet: Limpet, calls: list[dict[str, Any]], setting: Setting
) -> None:
    value, words = another(setting)
    limpet("train", "--out", "run", setting.flag, *words).succeeded()
    assert value_at(calls[0]["training"], setting.path) == value
    assert value != setting.default or len(setting.option.choices) == 1
    assert setting.name in calls[0]["given"]
    if setting.name != "model":
        limpet("distill", "--out", "run", setting.flag, *words).succeeded()
        assert value_at(calls[1]["training"], setting.path) == value


@pytest.mark.parametrize("setting", DISTILL, ids=lambda setting: setting.flag)
def test_every_setting_of_a_distillation_arrives(
    limpet: Limpet, calls: list[dict[str, Any]], setting: Setting
) -> None:
    if setting.name == "labels":
        value, words = "cached", ["cached"]
    else:
        value, words = another(setting)
    method = ("--method", "mobilevos") if setting.path[0] == "mobilevos" else ()
    limpet("distill", "--out", "run", *method, setting.flag, *words).succeeded()
    assert value_at(calls[0]["config"], setting.path) == value != setting.default


def test_defaults_are_those_of_the_configurations(limpet: Limpet, calls: list[dict[str, Any]]) -> None:
    limpet("train", "--out", "run").succeeded()
    limpet("distill", "--out", "run").succeeded()
    assert calls[0]["training"] == TrainConfig() and calls[0]["given"] == {"out"}
    assert calls[1]["config"] == DistillationConfig()


@pytest.mark.parametrize("name", ["train", "distill"])
def test_options_say_what_their_fields_say(name: str) -> None:
    """Once and only once; the ten that people need first come before the panels."""
    parameters = COMMANDS[name].params
    made = {each.name: each for each in (*TRAIN, *(DISTILL if name == "distill" else ()))}
    if name == "distill":
        del made["model"]
    flags = [flag for parameter in parameters for flag in parameter.opts]
    assert len(flags) == len(set(flags)) and {setting.flag for setting in made.values()} <= set(flags)
    first = [each for each in parameters if each.rich_help_panel is None and each.name != "help"]
    assert len(first) == 10
    for parameter in parameters:
        if (setting := made.get(parameter.name)) is not None:
            assert parameter.help.replace("\\[", "[") == setting.option.help
            assert parameter.rich_help_panel in (None, setting.option.group)


def test_a_value_out_of_bounds_is_refused_before_any_work(limpet: Limpet) -> None:
    limpet("train", "--out", "run", "--steps", 0).refused("Invalid value for '--steps'")
    limpet("train", "--out", "run", "--stills", "s", "--aux-loss-until", 2).refused("'--aux-loss-until'")
    limpet("train", "--out", "run", "--stills", "s", "--learning-rate", 0).refused(
        "learning_rate is 0.0, expected"
    )
    limpet("distill", "--out", "run", "--logits", "mse").refused("logits is 'mse', expected one of dist")


def test_a_flag_that_is_on_by_default_can_be_switched_off() -> None:
    @dataclass(frozen=True)
    class Config:
        bright: bool = option(True, help="Bright.", group="Light")
        colours: tuple[int, int] = option((1, 2), help="Colours.", group="Light", max=3)

    found = []

    @with_options(Config)
    def command(**values: Any) -> None:
        found.append(build(Config, values))

    group = typer.Typer(rich_markup_mode=None)
    group.command()(command)
    for words in (["--no-bright"], ["--colours", "2", "3"]):
        group(words, standalone_mode=False)
    assert found == [Config(bright=False), Config(colours=(2, 3))]
