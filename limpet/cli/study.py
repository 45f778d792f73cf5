"""``limpet study``: the tables and figures of two papers, repeated at a chosen scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from limpet.cli.options import MODEL, EncoderFile, StillsPath, Threads, TrainDevice
from limpet.cli.terminal import note, notes, say
from limpet.core.errors import DataError, WeightsError
from limpet.core.provenance import command_line

if TYPE_CHECKING:
    from limpet.studies.arms import Arm, Study
    from limpet.studies.conditions import Conditions, StudyData
    from limpet.tracking.tracker import Tracker


def study_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Study, such as table-1 or fig-4; see --list.")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the studies and stop.")] = False,
    scale: Annotated[
        str, typer.Option(metavar="mini|small|paper", help="Size of the runs; see --list.")
    ] = "mini",
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model to learn from.",
            show_default="that of the scale, or else of the study",
        ),
    ] = None,
    teacher_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights of the teacher.", show_default="those in the package"),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model to train in all rows, for studies whose rows have one student.",
            show_default="that of the study",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Weights that the students start from.",
            show_default=f"those of {MODEL} in the package",
        ),
    ] = None,
    encoder: EncoderFile = None,
    stills: StillsPath = None,
    videos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Videos to learn from: a data set and a split. May be repeated.",
        ),
    ] = None,
    davis: Annotated[Path | None, typer.Option(metavar="ROOT", help="DAVIS-2017, for --scale paper.")] = None,
    youtube: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="YouTube-VOS (the folder that holds train), for --scale paper."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Labelled data set on which the students are scored.",
            show_default="DAVIS:2017/val for --scale paper",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of all studies; they share runs with equal settings.")
    ] = Path("studies"),
    arms: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these rows of the table.", show_default="all")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Runs of each row.", show_default="that of the scale"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Steps of each run.", show_default="those of the scale"),
    ] = None,
    device: TrainDevice = "auto",
    threads: Threads = 0,
    dry_run: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Try N steps of the first row on small clips, with all else as configured; nothing is saved.",
        ),
    ] = None,
) -> None:
    """Repeat a table or a figure of a paper.

    Each row is trained with several seeds in OUT/NAME/ROW/seedK; runs that are finished are not repeated. The table,
    with the paper's figures beside ours, and a plot are written to OUT/NAME.
    """
    if list_them:
        return _list()
    if name is None:
        raise DataError(
            "no study is named; expected one such as table-4 (limpet study --list shows them all)"
        )
    import torch

    from limpet.studies.catalogue import find_study
    from limpet.studies.conditions import Conditions, Start
    from limpet.studies.scale import find_scale
    from limpet.studies.student import dry_run_study
    from limpet.tracking.load import choose_device
    from limpet.training.train_model import quiet_lightning

    study = find_study(name)
    size = find_scale(scale, steps, study.paper)
    chosen = with_student(choose_arms(study, arms), student)
    choose_device(device)
    if threads:
        torch.set_num_threads(threads)
    begin = Start.of(start, encoder)
    data = _data(scale == "paper", stills, videos or [], davis, youtube, score, dry_run is not None)
    notes([f"skipped {line}" for line in data.skipped], rest="that cannot be used", most=20)
    tracker, why = load_teacher(teacher or size.teacher or study.teacher, teacher_weights, device)
    quiet_lightning()
    conditions = Conditions(
        size,
        tracker,
        begin,
        data.stills,
        data.videos,
        data.scored_on,
        data.named,
        device=device,
        no_teacher=why,
    )
    if dry_run is not None:
        for line in dry_run_study(chosen, conditions, dry_run):
            say(line)
        return
    _run(study, chosen, seeds or size.seeds, conditions, out)


def choose_arms(study: Study, names: str | None) -> list[Arm]:
    """The arms that are named, in the order of the table. Raises DataError for an unknown name."""
    if names is None:
        return list(study.arms)
    wanted = [part.strip() for part in names.split(",")]
    there = [arm.name for arm in study.arms]
    unknown = [part for part in wanted if part not in there]
    if unknown:
        raise DataError(f"{study.name} has no row {unknown[0]!r}; its rows are {', '.join(there)}")
    return [arm for arm in study.arms if arm.name in wanted]


def with_student(arms: list[Arm], name: str | None) -> list[Arm]:
    """The arms with another student. Raises DataError where they have several, ModelError for an unknown name."""
    from dataclasses import replace

    from limpet.registry import find

    if name is None:
        return arms
    students = list(dict.fromkeys(arm.student for arm in arms))
    if len(students) > 1:
        raise DataError(
            f"--student would make the rows alike, which differ in it: {', '.join(students)}; choose rows of one with "
            f"--arms, or leave it out"
        )
    find(name)
    return [replace(arm, student=name) for arm in arms]


def load_teacher(name: str, weights: Path | None, device: str) -> tuple[Tracker | None, str]:
    """The teacher; or None, and why, where no weights of it ship and none were named. Raises LimpetError."""
    import limpet
    from limpet.weights.zoo import find_weights

    try:
        path = find_weights(name, weights)
    except WeightsError:
        return None, f"no weights of the teacher {name} ship with limpet; name a file with --teacher-weights"
    return limpet.load(name, weights=path, device=device), ""


def _data(
    is_paper: bool,
    stills: Path | None,
    videos: Sequence[str],
    davis: Path | None,
    youtube: Path | None,
    score: str | None,
    is_dry: bool,
) -> StudyData:
    from limpet.studies.conditions import DAVIS_VAL, paper_data, small_data
    from limpet.training.train_model import root_and_split

    judge = root_and_split(score) if score else None
    if is_paper:
        if videos:
            raise DataError("--scale paper takes its videos from --davis and --youtube; leave --videos out")
        if davis is not None and judge is None:
            judge = davis, DAVIS_VAL
        return paper_data(stills, davis, youtube, None if is_dry else judge)
    if davis is not None or youtube is not None:
        raise DataError("--davis and --youtube are for --scale paper; give --videos ROOT:SPLIT")
    if judge is None and not is_dry:
        raise DataError("there is nothing to score students on; give --score ROOT:SPLIT")
    return small_data(stills, [root_and_split(text) for text in videos], judge)


def _run(study: Study, arms: Sequence[Arm], seeds: int, conditions: Conditions, out: Path) -> None:
    from limpet.studies.plots import draw_study
    from limpet.studies.render import on_screen, write_report
    from limpet.studies.study_run import run_study
    from limpet.studies.table import make_table
    from limpet.training.train_model import make_run_folder

    folder = out / study.name
    make_run_folder(folder)
    try:
        done = run_study(study, arms, seeds, conditions, out, tell=say)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"stopped; the same command continues with what is in {out}")
        raise
    for arm, reason in done.skipped.items():
        note(f"{arm} is not run: {reason}")
    table = make_table(done, conditions, command_line())
    written = [*write_report(table, folder), draw_study(study.plot, table, folder)]
    Console().print(on_screen(table))
    say(f"written: {', '.join(map(str, written))}")
    if not done.results:
        reason = next(iter(done.skipped.values()))
        raise DataError(
            f"no row of {study.name} could be run, the table has the paper's figures alone: {reason}"
        )


def _list() -> None:
    from limpet.studies.catalogue import STUDIES
    from limpet.studies.scale import MOBILEVOS_SCALES, SCALES

    for study in STUDIES.values():
        say(
            f"{study.name}: {study.title} ({study.section})\n    rows: {', '.join(arm.name for arm in study.arms)}"
        )
    for heading, scales in (("scales", SCALES), ("scales of MobileVOS's studies", MOBILEVOS_SCALES)):
        say(f"\n{heading}")
        for make in scales.values():
            scale = make()
            say(f"    {scale.name}: {scale.summary}")
