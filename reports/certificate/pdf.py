r"""``certificate.pdf``: the same face on one sheet of A4, for the wall. ``certificate.html`` is the master.

Drawn with the fonts that every PDF reader has, which know Latin-1 only: other letters are written as ``\u0431``.
"""

from __future__ import annotations

from collections.abc import Iterable

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from reports.certificate.face import Face, Side

_MARGIN_MM = 18.0
_BOTTOM_MM = 297.0 - 14.0
_SCALES = (1.12, 1.0, 0.92, 0.85, 0.78, 0.7, 0.62, 0.55, 0.48)
_LABEL_MM = 34.0
_GREEN, _AMBER, _RED, _SOFT, _INK = (31, 122, 77), (138, 90, 0), (179, 38, 30), (91, 101, 108), (29, 35, 39)
_GREEN_TINT, _AMBER_TINT = (228, 242, 234), (252, 239, 210)
_LETTERS = str.maketrans({"→": "to", "…": "...", "–": "-", "’": "'", "✓": "+"})

Colour = tuple[int, int, int]


def as_pdf(face: Face) -> bytes:
    """One page, smaller where there is much to say; the same bytes for the same face."""
    for scale in _SCALES:
        sheet = _Sheet(face, scale)
        sheet.draw(face)
        if sheet.bottom_mm <= _BOTTOM_MM:
            break
    return bytes(sheet.pdf.output())


def latin(text: str) -> str:
    return text.translate(_LETTERS).encode("latin-1", "backslashreplace").decode("latin-1")


class _Sheet:
    def __init__(self, face: Face, scale: float) -> None:
        self.scale = scale
        self.pdf = FPDF(orientation="portrait", unit="mm", format="A4")
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.set_margins(_MARGIN_MM, 14.0, _MARGIN_MM)
        self.pdf.set_title(latin(f"Certificate: {face.pair}, {face.level}"))
        self.pdf.set_creator("golden-flows")
        self.pdf.set_lang("en")
        self.pdf.set_creation_date(face.valid_from)
        self.pdf.add_page()

    @property
    def bottom_mm(self) -> float:
        return float(self.pdf.get_y())

    def draw(self, face: Face) -> None:
        tone = _GREEN if face.is_real else _AMBER
        self.pdf.set_fill_color(*tone)
        self.pdf.rect(0, 0, 210, 4, style="F")
        self.text("golden-flows, certificate of compatibility", 10, colour=_SOFT)
        self.text(str(face.pair), 24, bold=True)
        self.gap(3)
        self.band(face, tone)
        self.gap(4)
        self.text(face.sentence, 10.5)
        self.gap(3)
        for symbol, point, words in face.points:
            self.point(symbol, point, words)
        self.gap(3)
        self.text(f"Valid from {face.valid_from:%Y-%m-%d} until {face.valid_until:%Y-%m-%d} (UTC)", 13, bold=True)
        self.gap(3)
        for title, those in face.restrictions:
            self.pair(title, "; ".join(those) or "none", 9, colour=_AMBER if those else _INK)
        self.gap(3)
        self.sides(face.sides)
        self.gap(3)
        for title, value in face.facts:
            self.pair(title, value, 9)
        self.gap(3)
        for title, value in face.digests:
            self.pair(title, value, 7.5, mono=True)
        self.gap(4)
        self.seal(face.signer)

    def gap(self, height_mm: float) -> None:
        self.pdf.ln(height_mm * self.scale)

    def font(self, size_pt: float, *, bold: bool = False, mono: bool = False) -> float:
        """Line height in millimetres."""
        self.pdf.set_font("Courier" if mono else "Helvetica", "B" if bold else "", size_pt * self.scale)
        return size_pt * self.scale * 0.3528 * 1.3

    def text(
        self,
        text: str,
        size_pt: float,
        *,
        bold: bool = False,
        mono: bool = False,
        colour: Colour = _INK,
        width_mm: float = 0,
    ) -> None:
        height = self.font(size_pt, bold=bold, mono=mono)
        self.pdf.set_text_color(*colour)
        self.pdf.multi_cell(
            width_mm, height, latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=WrapMode.WORD
        )

    def band(self, face: Face, tone: Colour) -> None:
        """How real it was, in large letters, framed."""
        top = self.pdf.get_y()
        width = self.pdf.epw
        height = 0.0
        for is_drawn in (False, True):  # first to measure it
            if is_drawn:
                self.pdf.set_draw_color(*tone)
                self.pdf.set_fill_color(*(_GREEN_TINT if face.is_real else _AMBER_TINT))
                self.pdf.set_line_width(0.6)
                self.pdf.rect(_MARGIN_MM, top, width, height, style="DF")
                self.pdf.set_y(top)
            self.pdf.set_left_margin(_MARGIN_MM + 5)
            self.pdf.set_xy(_MARGIN_MM + 5, top + 3 * self.scale)
            self.text(face.level.upper(), 17, bold=True, width_mm=width - 10)
            self.gap(1)
            self.text(face.level_note, 9.5, width_mm=width - 10)
            height = self.pdf.get_y() - top + 3 * self.scale
            self.pdf.set_left_margin(_MARGIN_MM)
        self.pdf.set_xy(_MARGIN_MM, top + height)

    def point(self, symbol: str, point: str, words: str) -> None:
        height = self.font(11)
        x, y = self.pdf.get_x() + self.pdf.c_margin, self.pdf.get_y() + height / 2
        self.pdf.set_draw_color(*_GREEN)
        self.pdf.set_line_width(0.7 * self.scale)
        unit = height / 5
        if symbol == "✓":
            self.pdf.line(x, y, x + unit, y + unit)
            self.pdf.line(x + unit, y + unit, x + 3 * unit, y - 1.5 * unit)
        else:
            self.pdf.line(x, y, x + 3 * unit, y)
        self.pdf.set_x(x + 4.5 * unit)
        self.pdf.set_text_color(*_INK)
        self.pdf.cell(52 * self.scale, height, latin(point))
        self.font(11, bold=True)
        self.pdf.set_text_color(*_GREEN)
        self.pdf.multi_cell(0, height, latin(words), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def pair(
        self,
        title: str,
        value: str,
        size_pt: float,
        *,
        mono: bool = False,
        colour: Colour = _INK,
        left_mm: float = _MARGIN_MM,
        width_mm: float = 0,
    ) -> None:
        height = self.font(size_pt)
        self.pdf.set_x(left_mm)
        self.pdf.set_text_color(*_SOFT)
        self.pdf.cell(_LABEL_MM * self.scale, height, latin(title))
        self.font(size_pt, mono=mono, bold=colour == _AMBER)
        self.pdf.set_text_color(*colour)
        rest = width_mm - _LABEL_MM * self.scale if width_mm else 0
        self.pdf.multi_cell(rest, height, latin(value), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def sides(self, sides: Iterable[Side]) -> None:
        """Both clouds beside one another."""
        top, ends = self.pdf.get_y(), [self.pdf.get_y()]
        column = self.pdf.epw / 2
        for at, side in enumerate(sides):
            left = _MARGIN_MM + at * column
            self.pdf.set_left_margin(left)
            self.pdf.set_xy(left, top)
            self.text(f"{side.role}: {side.name}", 10, bold=True, width_mm=column - 4)
            for title, value in side.facts:
                self.pair(title, value, 9, left_mm=left, width_mm=column - 4)
            ends.append(self.pdf.get_y())
            self.pdf.set_left_margin(_MARGIN_MM)
        self.pdf.set_xy(_MARGIN_MM, max(ends))

    def seal(self, signer: str) -> None:
        if signer:
            self.text(f"Signed by the key {signer}", 9, bold=True)
            self.text(
                "This page proves nothing by itself. Check the signature and the evidence: golden-flows verify "
                "attestation.intoto.json --key PUB, or ssh-keygen and sha256sum as docs/verify.md says.",
                8.5,
                colour=_SOFT,
            )
        else:
            self.text("Nobody has signed this certificate: it proves nothing.", 10, bold=True, colour=_RED)
