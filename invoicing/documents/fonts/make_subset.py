"""
Cut the two fonts of the printed invoice out of DejaVu Sans Condensed.

Run by hand when the repertoire changes: `python make_subset.py FOLDER`, where FOLDER holds DejaVuSansCondensed.ttf and
DejaVuSansCondensed-Bold.ttf (Debian: fonts-dejavu-extra, in /usr/share/fonts/truetype/dejavu; npm: dejavu-fonts-ttf,
in package/ttf). Needs fontTools. The same sources give the same bytes.
"""

import sys
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]

# Hints are a third of the file and matter only on screens of the last century; kerning and ligatures the drawing does
# not use. Each range is first and last code point, both included.
REPERTOIRE = (
    (0x0020, 0x007E),  # Basic Latin
    (0x00A0, 0x024F),  # Latin-1, Latin Extended A and B
    (0x02B9, 0x02DD),  # modifier letters that stand in names
    (0x0370, 0x03FF),  # Greek
    (0x0400, 0x052F),  # Cyrillic and its supplement
    (0x1E00, 0x1EFF),  # Latin Extended Additional (Welsh, Vietnamese)
    (0x2010, 0x205E),  # general punctuation
    (0x20A0, 0x20C0),  # currency signs
    (0x2116, 0x2122),  # numero, trade mark
    (0x2190, 0x2194),  # arrows
    (0x2212, 0x2212),  # minus
    (0x2248, 0x2265),  # comparisons
    (0xFFFD, 0xFFFD),  # what stands for a character that the font has not
)
NAMES = ("DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf")


def options() -> subset.Options:
    """What to keep beside the outlines: nothing that the drawing does not read."""
    chosen = subset.Options()
    chosen.hinting = False
    chosen.layout_features = []
    chosen.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "FFTM", "gasp"]
    chosen.name_IDs = [0, 1, 2, 3, 4, 5, 6, 14]
    chosen.glyph_names = False
    chosen.notdef_outline = True
    chosen.recalc_timestamp = False
    return chosen


def cut(source: Path, target: Path) -> None:
    """Write to `target` the part of `source` that the repertoire names."""
    font = subset.load_font(str(source), options())
    cutter = subset.Subsetter(options())
    cutter.populate(unicodes=[code for first, last in REPERTOIRE for code in range(first, last + 1)])
    cutter.subset(font)
    subset.save_font(font, str(target), options())


if __name__ == "__main__":
    for name in NAMES:
        cut(Path(sys.argv[1]) / name, Path(__file__).parent / name)
