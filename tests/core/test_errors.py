"""Messages name options in the words of whoever reads them."""

from __future__ import annotations

import pickle

from limpet.core.errors import MaskError, MissingExtraError, Option


def test_an_option_is_an_argument_in_python_and_a_flag_on_the_command_line() -> None:
    error = MaskError("too small; resize it or pass ", Option("resize_mask"), ", or ", Option("size", 3), "!")
    assert str(error) == "too small; resize it or pass resize_mask=True, or size=3!"
    assert error.command_line_message == "too small; resize it or pass --resize-mask, or --size 3!"


def test_the_command_line_may_have_another_name() -> None:
    error = MaskError("pass ", Option("name", "deaot-s", "model"))
    assert (str(error), error.command_line_message) == ("pass name='deaot-s'", "pass --model deaot-s")


def test_parts_can_be_told_again_with_more_around_them() -> None:
    inner = MaskError("pass ", Option("resize_mask"))
    outer = MaskError("for frame 3: ", *inner.parts)
    assert outer.command_line_message == "for frame 3: pass --resize-mask"


def test_messages_in_one_piece() -> None:
    assert MaskError("no {braces} matter").command_line_message == "no {braces} matter"
    extra = MissingExtraError("export", "onnx", "onnxruntime")
    assert extra.command_line_message == str(extra)
    assert str(pickle.loads(pickle.dumps(MaskError("pass ", Option("resume"))))) == "pass resume=True"
