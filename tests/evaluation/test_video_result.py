from __future__ import annotations

import json
from pathlib import Path

from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.video_result import VideoResult, scores_of

from .tiny import CopiesMasks, make_youtube_vos


def test_a_result_survives_json_and_scores_keep_the_order(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    protocol = YouTubeVosProtocol(tmp_path)
    results = [run_video(CopiesMasks(), protocol.task(name)) for name in protocol.names()]
    again = [VideoResult.from_dict(json.loads(json.dumps(each.as_dict()))) for each in results]
    assert again == results and results[0].answered == 5 and results[0].steps == 8
    scores = scores_of(results)
    assert [(o.sequence, o.object_id) for o in scores.objects] == [("late", 2), ("late", 5), ("plain", 1)]
    assert scores.steps == 16 and scores.frames["plain"] == ("00002", "00004", "00006")
