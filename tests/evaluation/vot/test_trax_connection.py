"""The protocol as libtrax 4 speaks it: the lines here were recorded between it and the toolkit."""

from __future__ import annotations

import io
import socket
import threading
from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.vot.trax_connection import (
    FrameRequest,
    TraxConnection,
    parse_message,
    toolkit_connection,
)

RECORDED = (
    '@@TRAX:initialize "mask:0,0,12,10,27,4,8,4,8,4" \n'
    '@@TRAX:initialize "mask:0,0,12,10,75,4,8,4,8,4" \n'
    '@@TRAX:frame "file:///tmp/vt/a b \\"q\\" é.png" "k=v" \n'
    "some library prints\n"
    '@@TRAX:frame "file:///tmp/2.png" \n'
    "@@TRAX:initialize \n"
    '@@TRAX:initialize "mask:0,0,12,10,27,4" \n'
    '@@TRAX:frame "/tmp/1.png" \n'
    "@@TRAX:quit \n"
    '@@TRAX:frame "/tmp/after the end.png" \n'
)


def test_requests_of_a_recorded_session() -> None:
    first, later, again = TraxConnection(io.StringIO(RECORDED), io.StringIO()).requests()
    assert first.image == Path('/tmp/vt/a b "q" é.png')
    assert first.objects == ("mask:0,0,12,10,27,4,8,4,8,4", "mask:0,0,12,10,75,4,8,4,8,4")
    assert later == FrameRequest(Path("/tmp/2.png"))
    assert again == FrameRequest(Path("/tmp/1.png"), ("mask:0,0,12,10,27,4",)), (
        "the objects of before are gone"
    )


def test_what_the_tracker_says() -> None:
    said = io.StringIO()
    connection = TraxConnection(io.StringIO(), said)
    connection.hello('limpet "tiny"')
    connection.answer(["0,0,6,5,0,30", "0,0,1,1,1"])
    connection.quit("no such\nfile")
    hello, *states, end = said.getvalue().splitlines()
    word, facts = parse_message(hello)
    assert word == "hello" and 'trax.name=limpet "tiny"' in facts
    assert {"trax.version=4", "trax.region=mask;", "trax.image=path;", "trax.multiobject=1"} <= set(facts)
    assert not any(fact.startswith("vot") for fact in facts), "the toolkit would start a process for each run"
    assert states == ['@@TRAX:state "mask:0,0,6,5,0,30"', '@@TRAX:state "mask:0,0,1,1,1"']
    assert parse_message(end) == ("quit", ["trax.reason=no such\nfile"])


def test_lines_that_are_not_a_clients() -> None:
    for line, sentence in (
        ("@@TRAX:state", "expected initialize, frame or quit"),
        ("@@TRAX:frame", "without an arg"),
    ):
        with pytest.raises(DataError, match=sentence):
            list(TraxConnection(io.StringIO(line + "\n"), io.StringIO()).requests())


def test_the_toolkit_may_ask_for_a_socket(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("limpet.evaluation.vot.trax_connection.take_stdout", io.StringIO)
    received: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def toolkit() -> None:
            end, _ = server.accept()
            with end, end.makefile("rw", encoding="utf-8") as file:
                received.append(file.readline())
                file.write('@@TRAX:frame "file:///1.png" \n')
                file.flush()

        other = threading.Thread(target=toolkit)
        other.start()
        monkeypatch.setenv("TRAX_SOCKET", str(server.getsockname()[1]))
        connection = toolkit_connection(io.StringIO())
        connection.hello("tiny")
        assert [request.image for request in connection.requests()] == [Path("/1.png")]
        other.join(10)
    assert received and received[0].startswith("@@TRAX:hello")
