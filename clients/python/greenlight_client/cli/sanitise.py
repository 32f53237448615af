"""The terminal is hostile territory: text of tools and models is cleaned here before anything shows it.

Escape sequences and control characters go, and so do the marks that reorder or hide text. JSON keeps every character:
what cannot be shown stands there as its own escape, so that an approver sees all of it. Prose of several lines is
quoted.py's; what was forgotten, `harmless` (through which the terminal sends everything) still stops.
"""

import re
import unicodedata

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, PM, APC, SOS
    r"|\x1b[ -/]*[0-~]?"  # the others
)
_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACES = str.maketrans("\r\n\t", "   ")
# Letters and marks that are as wide as nothing, or look like a space.
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Joiners are part of words in some scripts and of emoji; other format characters only mislead.
_KEPT_FORMATS = "\u200c\u200d"


def clean_block(text: str) -> str:
    """Text of several lines, without what could move the cursor, colour, reorder or hide anything."""
    return harmless(_LINE_ENDS.sub("\n", _ESCAPES.sub("", text)).replace("\t", "    "))


def clean(text: str, limit: int = 0) -> str:
    """One line of at most `limit` characters (0 = any number)."""
    line = " ".join(clean_block(text).split())
    return line if not limit or len(line) <= limit else line[: max(0, limit - 1)].rstrip() + "…"


def clean_line(text: str, limit: int) -> str:
    """One line of a log: as `clean`, but what stands at its beginning and between its words stays where it is."""
    line = clean_block(text).replace("\n", " ").rstrip()
    return line if len(line) <= limit else line[: max(0, limit - 1)] + "…"


def harmless(text: str) -> str:
    """Text of which no character can do more than be seen; ends of lines stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for char in text if char == "\n" or _is_shown(char))


def json_line(text: str) -> str:
    """As `visible_json`, on one line: outside of strings (they have none) an end of a line is a space."""
    return visible_json(text.translate(_SPACES))


def visible_json(text: str) -> str:
    """JSON text with every character that cannot be shown as its JSON escape; it stays the same JSON."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char == "\n" or _is_shown(char) else _escape(char) for char in text)


def indented_json(text: str) -> str:
    """JSON text on several lines, token by token as it stands: no number or string is written anew. Cleaned."""
    out: list[str] = []
    depth = 0
    in_string = escaped = False
    for place, char in enumerate(text):
        if in_string:
            out.append(char)
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            out.append(char)
            in_string = True
        elif char in "{[":
            depth += 1
            empty = text[place + 1 : place + 2] in ("}", "]")
            out.append(char if empty else char + _new_line(depth))
        elif char in "}]":
            depth -= 1
            empty = bool(out) and out[-1] in ("{", "[")
            out.append(char if empty else _new_line(depth) + char)
        elif char == ",":
            out.append("," + _new_line(depth))
        elif char == ":":
            out.append(": ")
        elif not char.isspace():
            out.append(char)
    return visible_json("".join(out))


def _new_line(depth: int) -> str:
    return "\n" + "  " * max(0, depth)


def _is_shown(char: str) -> bool:
    if char in _INVISIBLE:
        return False
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or char in _KEPT_FORMATS


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
