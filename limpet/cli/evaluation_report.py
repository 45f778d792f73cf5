"""What ``limpet eval`` says and writes when all videos are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from limpet.cli.terminal import counted, note, notes, say
from limpet.core.provenance import command_line

if TYPE_CHECKING:
    from limpet.evaluation.check_submission import CheckedSubmission
    from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol
    from limpet.evaluation.run_evaluation import EvaluationJob
    from limpet.evaluation.score_tables import Receipt
    from limpet.evaluation.scores import Scores
    from limpet.evaluation.video_result import VideoResult

SUBMISSION = "submission.zip"


def report(
    protocol: EvaluationProtocol,
    results: list[VideoResult],
    tracker: Any,
    job: EvaluationJob,
    out: Path | None,
    settings: Mapping[str, Any],
) -> None:
    """Print the scores and write them; write and check the submission where labels are withheld."""
    from limpet.evaluation.score_tables import results_table, tracks_table
    from limpet.evaluation.video_result import scores_of

    receipt = replace(receipt_of(protocol, results, tracker), settings=settings)
    say(receipt.header)
    withheld = [result.name for result in results if not result.labelled]
    written: list[str] = []
    if len(withheld) < len(results):
        scores = scores_of([result for result in results if result.labelled])
        name, value = scores.headline
        name = name.replace("F", protocol.boundary_name)
        Console().print(results_table(scores, title=f"{protocol.split}: {name} {100 * value:.1f}"))
        if scores.tracks:
            Console().print(tracks_table(scores))
        _remarks(scores)
        if out is not None:
            written = _write(scores, protocol, out, receipt, job.predictions or job.masks)
    elif out is not None:
        notes(
            [line for result in results for line in result.notes], rest="see videos/ in the folder", most=20
        )
    if job.masks is not None and out is not None:
        written += protocol.write_results(job.masks, out)
        if withheld:
            say(f"labels are withheld: {len(withheld)} of {counted(len(results), 'video')}")
            written += _submit(protocol, job.masks, out)
    if out is not None:
        kept = ["masks/"] if job.masks else []
        say(f"written to {out}: {', '.join([*written, *kept])}")


def receipt_of(protocol: EvaluationProtocol, results: list[VideoResult], tracker: Any) -> Receipt:
    """How the results were made."""
    from limpet.evaluation.score_tables import Receipt

    rules = f"{protocol.label} ({counted(len(results), 'video')})"
    receipt = Receipt(command_line(), protocol.label, protocol=rules, rate=protocol.rate)
    if tracker is None:
        return receipt
    sizes = Counter(f"{size[0]}x{size[1]}" for size in (each.network_size for each in results) if size)
    several = [f"{size} ({count} videos)" for size, count in sizes.most_common()]
    seconds = sum(each.seconds for each in results)
    memory = getattr(tracker, "memory", None)
    return replace(
        receipt,
        model=tracker.name,
        weights=tracker.weights_sha256,
        device=str(tracker.device),
        frames_per_second=sum(each.steps for each in results) / seconds if seconds else None,
        network_size=", ".join(several) if len(sizes) > 1 else next(iter(sizes), None),
        memory=memory and memory.name,
        memory_gap=memory and memory.gap,
        memory_frames=memory and memory.max_frames,
    )


def tell_check(found: CheckedSubmission, archive: Path) -> bool:
    """Print what a check of a submission found; whether it is in order."""
    for problem in found.problems:
        note(str(problem))
    for remark in found.remarks:
        note(str(remark))
    if found.problems:
        kinds = counted(len(found.problems), "kind of problem", "kinds of problems")
        say(f"{archive}: {kinds} in {found.masks} masks of {counted(found.videos, 'video')}")
        return False
    say(f"{archive}: in order, {found.masks} masks of {counted(found.videos, 'video')}")
    return True


def _remarks(scores: Scores) -> None:
    from limpet.evaluation.disappearance import disappearance

    if scores.frames_per_second:
        say(f"{scores.frames_per_second:.2f} frames/s in the tracker ({scores.steps} steps)")
    around = disappearance(scores.objects)
    if around.absent is not None:
        back = (
            ""
            if around.returned is None
            else f", {100 * around.returned:.1f} after a return ({around.returned_objects})"
        )
        say(f"J&F {100 * around.absent:.1f} while objects are gone ({around.absent_objects} of them){back}")
    notes(scores.notes, rest="see the notes in scores.json", most=20)


def _write(
    scores: Scores, protocol: EvaluationProtocol, out: Path, receipt: Receipt, masks: Path | None
) -> list[str]:
    from limpet.evaluation.saved_masks import find_predictions
    from limpet.evaluation.score_curves import worst_curves, write_curves
    from limpet.evaluation.score_tables import write_csv, write_json
    from limpet.evaluation.worst_frames import write_worst_frames

    write_csv(scores, out, receipt)
    write_json(scores, out / "scores.json", receipt)
    several = "the worst three sequences of " if len(scores.frames) > 3 else ""
    write_curves(worst_curves(scores), out / "worst.png", f"J over time: {several}{protocol.split}")
    written = ["scores.json", "per_sequence.csv", "per_object.csv", "worst.png"]
    if masks is not None:
        write_worst_frames(scores, protocol, find_predictions(masks, protocol.names()), out / "worst")
        written.append("worst/")
    return written


def _submit(protocol: EvaluationProtocol, masks: Path, out: Path) -> list[str]:
    """Write and check the archive, where there is a server; names of the files."""
    from limpet.evaluation.check_submission import check_submission
    from limpet.evaluation.submission import write_submission

    if protocol.archive is None:
        return []
    write_submission(protocol, masks, out / SUBMISSION)
    tell_check(check_submission(out / SUBMISSION, protocol), out / SUBMISSION)
    say(f"its server: {protocol.archive.server}")
    return [SUBMISSION]
