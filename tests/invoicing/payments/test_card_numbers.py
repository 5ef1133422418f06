"""No card number is stored, logged or mailed: what somebody typed is masked on the way in."""

import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from billingsite.logs import configure
from invoicing.payments.card_numbers import mask_card_numbers, mask_json, passes_luhn

VISA = "4242424242424242"
# A number of each network, as processors give them out for tests.
NUMBERS = {
    "Visa": VISA,
    "Visa of 13 digits": "4222222222222",
    "Mastercard": "5555555555554444",
    "Mastercard of the 2 series": "2223003122003222",
    "American Express": "378282246310005",
    "Diners Club": "30569309025904",
    "Discover": "6011111111111117",
    "JCB": "3566002020360505",
    "UnionPay of 19 digits": "6205500000000000004",
}


def check_digit(digits: str) -> str:
    return next(last for last in "0123456789" if passes_luhn(digits + last))


@st.composite
def card_numbers(draw) -> str:
    start = draw(st.sampled_from(["4", "51", "2221", "37", "36", "6011", "62", "3528"]))
    length = draw(st.integers(13, 19))
    body = draw(st.text("0123456789", min_size=length - len(start) - 1, max_size=length - len(start) - 1))
    return start + body + check_digit(start + body)


class TestMaskCardNumbers:
    @pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
    def test_leaves_the_last_four_digits(self, number):
        assert (
            mask_card_numbers(f"card {number}, exp 12/34") == f"card {'*' * (len(number) - 4)}{number[-4:]}, exp 12/34"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "4242.4242.4242.4242",
            "4242\u00a04242\u00a04242\u00a04242",
            "4242\u20114242\u20114242\u20114242",
            "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
            "42424242-4242 4242",
            "2026 4242 4242 4242 4242 12/27 123",
            "card4242424242424242x",
            "card_4242424242424242",
            "%B4242424242424242^DOE/JOHN^2712101?",
        ],
    )
    def test_finds_it_however_it_is_written(self, text):
        masked = mask_card_numbers(text)

        assert masked != text
        assert sum(letter.isdigit() for letter in text) - sum(letter.isdigit() for letter in masked) == 12
        assert len(masked) == len(text)

    @pytest.mark.parametrize(
        "text",
        [
            "4242424242424241",  # the wrong check digit
            "1234567890123452",  # no network's
            "424242424242",  # too short
            "42424242424242424242424242",  # too long to be one
            "pi_3MtwBwLkdIwHu7ix28a3tqPa",
            "payment-4f4242424242424242aa4242424242424",
            "evt_a4242424242424242",
            "42424242-4242-4242-8242-424242424242",
            "2026-11-22T01:39:42.123456Z",
            "+1 212 555 0100",
            "INV-000012, USD 1,234.50",
            "",
        ],
    )
    def test_leaves_all_else_alone(self, text):
        assert mask_card_numbers(text) == text

    @given(card_numbers(), st.data())
    def test_of_any_number_with_any_separators_only_four_digits_stay(self, number, data):
        between = st.sampled_from(["", " ", "-", "\u00a0"])
        written = number[0] + "".join(data.draw(between) + digit for digit in number[1:])
        before, after = (data.draw(st.sampled_from(["", "x", "card: ", "(", "Grüße "])) for _ in range(2))

        masked = mask_card_numbers(before + written + after)

        assert number not in "".join(letter for letter in masked if letter.isdigit())
        assert masked.count("*") == len(number) - 4
        assert mask_card_numbers(masked) == masked

    @given(st.text())
    def test_never_changes_the_length_nor_what_is_no_digit(self, text):
        masked = mask_card_numbers(text)

        assert len(masked) == len(text)
        assert all(new == old or (new == "*" and old.isdigit()) for new, old in zip(masked, text, strict=True))

    def test_takes_no_longer_for_a_long_run_of_digits(self):
        assert len(mask_card_numbers("1 " * 200_000)) == 400_000


class TestMaskJson:
    def test_stays_json_where_a_number_is_masked(self):
        masked = json.loads(mask_json(f'{{"a": {VISA}, "b": ["x {VISA}"], "{VISA}": true, "amount": 1234}}'))

        assert masked == {
            "a": "************4242",
            "b": ["x ************4242"],
            "************4242": True,
            "amount": 1234,
        }

    @pytest.mark.parametrize(
        "text", [r'{"a": "4242\u00a04242\u00a04242\u00a04242"}', f'{{"a": "{VISA}", "a": "b"}}', f"{{not json {VISA}"]
    )
    def test_finds_what_is_hidden(self, text):
        assert "42424242" not in "".join(filter(str.isdigit, mask_json(text).replace("u00a0", "")))

    def test_is_left_as_it_came_where_there_is_none(self):
        text = '{"id":  "evt_1","created":1700000000 , "x": 1.50}'

        assert mask_json(text) == text


class TestLogs:
    """As configured: one pass over what is logged, one over the line that is printed."""

    @pytest.mark.parametrize("as_json", [True, False])
    def test_show_no_card_number(self, as_json, capsys):
        before = structlog.get_config()
        try:
            formatter = configure(as_json=as_json, level="INFO")["formatters"]["line"]
        finally:
            structlog.configure(**before)
        make = formatter.pop("()")
        handler = logging.StreamHandler()
        handler.setFormatter(make(**formatter))
        logger = logging.Logger("of-this-test")
        logger.addHandler(handler)

        try:
            raise ValueError(f"no card {VISA}")
        except ValueError:
            logger.exception("paid by %s", "4242 4242 4242 4242", extra={"number": int(VISA)})

        printed = capsys.readouterr().err
        assert "paid by **** **** **** 4242" in printed
        assert "no card ************4242" in printed
        assert VISA not in printed
        if as_json:
            json.loads(printed)
