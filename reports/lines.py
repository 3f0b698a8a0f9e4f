"""Lines of text for a terminal, styled where it can show that."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from golden_flows.model.outcome import Outcome
from golden_flows.printable import printable
from reports.rows import Judgement

STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.BROKEN: "bold yellow",
    Outcome.BLOCKED: "magenta",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.NOT_RUN: "bold yellow",
}
JUDGED = {Judgement.COMPATIBLE: "bold green", Judgement.NOT_COMPATIBLE: "bold red", Judgement.UNJUDGED: "bold yellow"}

_ASCII = str.maketrans({"✓": "+", "✗": "x", "⊘": "#", "–": "-", "→": "->", "·": "|", "…": "...", "—": "-"})
"""For terminals that are not UTF-8; the words beside the symbols say the rest."""


class Lines:
    """Prints on a console; what guests and clouds wrote does nothing to it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.unicode = console.encoding.lower().replace("-", "").startswith("utf")

    def text(self, *parts: tuple[str, str]) -> Text:
        """Styled text that this console can show; never markup, never control characters."""
        whole = Text()
        for content, style in parts:
            content = printable(content)
            if not self.unicode:
                content = content.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
            whole.append(content, style)
        return whole

    def line(self, *parts: tuple[str, str], indent: int = 0) -> None:
        text = self.text(*parts)
        if indent:
            self.console.print(Padding(text, (0, 0, 0, indent), expand=False), highlight=False)
        else:  # paths are not broken into pieces, so that they can be copied
            self.console.print(text, highlight=False, soft_wrap=True)
