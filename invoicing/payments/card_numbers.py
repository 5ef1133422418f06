"""
Card numbers masked on the way in: none is stored, logged or mailed, wherever somebody typed one.

A card number is a run of 13 to 19 digits, with single spaces, dashes, dots or slashes anywhere between them, that
begins as a card network's numbers do and ends in the right check digit (ISO/IEC 7812-1, Luhn). Its last four digits
stay, as on a receipt.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_SHORTEST, _LONGEST = 13, 19
# Spaces as they come from web pages and phones, dashes as they come from word processors.
_BETWEEN = r"[ \t\u00a0\u2000-\u200a\u202f\-\u2010-\u2015\u2212./]"
_RUN = re.compile(rf"[0-9](?:{_BETWEEN}?[0-9]){{{_SHORTEST - 1},}}")
# Names that gateways and we ourselves give, with letters among the digits: masking one would lose a payment.
_NAME = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"[a-z]{2,}(?:_[a-z]+)*_(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{8,}"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
    r"|(?=[0-9a-f]*[a-f])[0-9a-f]{32,64}"
    r")(?![A-Za-z0-9])"
)
# Visa; Mastercard; American Express, Diners Club and JCB; Discover, Maestro and UnionPay.
_NETWORK = re.compile(r"4|5[0-9]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[0-9]|6[0-9]")


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (Luhn)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mask_card_numbers(text: str) -> str:
    """`text` with all but the last four digits of each card number as `*`; all else as it was."""
    if not (runs := list(_RUN.finditer(text))):
        return text
    names = [found.span() for found in _NAME.finditer(text)]
    letters = list(text)
    for run in runs:
        for start, end in _numbers_in(run[0]):
            first, last = run.start() + start, run.start() + end
            if any(begin <= first and last <= finish for begin, finish in names):
                continue
            places = [place for place in range(first, last) if letters[place].isdigit()]
            for place in places[:-4]:
                letters[place] = "*"
    return "".join(letters)


def mask_json(text: str) -> str:
    """The same of a JSON document, which stays one; what is no JSON is masked as text."""
    masked = mask_card_numbers(text)
    try:
        read = json.loads(text)
    except ValueError:
        return masked
    # An escaped space hides a number from the text, a repeated name hides it from what was read: both count.
    masked_value = mask_value(read)
    return text if masked == text and masked_value == read else json.dumps(masked_value, indent=2)


def mask_value(value: Any) -> Any:
    """The same of whatever may be logged: texts, numbers, and both inside lists and mappings, as new ones."""
    if isinstance(value, str):
        return mask_card_numbers(value)
    if isinstance(value, int) and not isinstance(value, bool):
        masked = mask_card_numbers(str(value))
        return value if masked == str(value) else masked
    if isinstance(value, dict):
        return {mask_value(key): mask_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(inner) for inner in value]
    return value


def _numbers_in(run: str) -> Iterator[tuple[int, int]]:
    """
    Where card numbers stand in a run of digits, as half-open spans of it.

    Beside other digits a number is set apart by a separator: only groups are tried, the longest first.
    """
    groups = [found.span() for found in re.finditer(r"[0-9]+", run)]
    first = 0
    while first < len(groups):
        for last in range(min(len(groups), first + _LONGEST) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            if _is_number(re.sub(r"[^0-9]", "", run[start:end])):
                yield start, end
                first = last
                break
        first += 1


def _is_number(digits: str) -> bool:
    return _SHORTEST <= len(digits) <= _LONGEST and _NETWORK.match(digits) is not None and passes_luhn(digits)
