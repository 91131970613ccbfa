"""What a command says, in a page."""

import pytest
import said

from gift_lib.runs.repository import ROOT


@pytest.fixture
def directive():
    """A directive of a page, as far as it needs one."""
    made = object.__new__(said.Said)
    made.state = type("State", (), {"document": type("Document", (), {"settings": type("Settings", (), {})})})
    made.state.document.settings.env = type("Env", (), {"srcdir": ROOT})
    return made


def test_the_words_of_a_command_are_shown(directive):
    directive.arguments = ["calendar 2026 1"]
    (block,) = directive.run()
    assert "January 2026" in block.astext() and block["language"] == "text"


def test_a_command_that_fails_is_an_error_with_its_own_words(directive, monkeypatch):
    monkeypatch.setattr(said.Said, "error", lambda self, text: ValueError(text))
    directive.arguments = ["calendar 2026 99"]
    with pytest.raises(ValueError, match=r"^calendar 2026 99: ."):
        directive.run()
