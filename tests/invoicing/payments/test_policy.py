"""FEE-1 to FEE-4, SEAT-5: the rules of taking money."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from invoicing.payments.policy import (
    FeeRate,
    PastAttempt,
    Silence,
    Then,
    card_fee,
    fee_part,
    look_after,
    next_attempt,
    on_silence,
    return_code,
    returned_late,
    spread,
)

# fmt: off
STATES = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME",
    "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA",
    "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC", "PR", "GU", "VI",
]
# fmt: on
EXEMPT = {"CO", "CT", "FL", "KS", "ME", "MA", "TX"}
FUNDINGS = ("CREDIT", "DEBIT", "PREPAID", "UNKNOWN")
BEGIN = date(2020, 1, 1)


def rate(percent, *, state="", funding="", cap=None, clause="FEE-1", since=BEGIN, until=None):
    return FeeRate(state, funding, Decimal(percent), cap and Decimal(cap), clause, "The terms.", since, until)


SHIPPED = [rate("1"), *(rate("0", state=state, clause="FEE-2") for state in sorted(EXEMPT))]


def fee(amount="100", *, state="NY", funding="CREDIT", rates=SHIPPED, on=date(2026, 3, 2), on_debit=True, money="USD"):
    return card_fee(Decimal(amount), money, state=state, funding=funding, rates=rates, on=on, fee_on_debit=on_debit)


class TestCardFee:
    """FEE-1, FEE-2, FEE-4."""

    @pytest.mark.parametrize("on_debit", [True, False])
    @pytest.mark.parametrize("funding", FUNDINGS)
    @pytest.mark.parametrize("state", [*STATES, ""])
    def test_of_each_state_and_funding_is_as_written_by_hand(self, state, funding, on_debit):
        free = state in EXEMPT or (funding != "CREDIT" and not on_debit)
        for day, in_force in (
            (date(2019, 12, 31), False),
            (date(2020, 1, 1), True),
            (date(2024, 2, 29), True),
            (date(2026, 12, 31), True),
        ):
            found = fee("250.00", state=state, funding=funding, on=day, on_debit=on_debit)
            assert found.amount == (Decimal("2.50") if in_force and not free else Decimal(0))

    def test_cites_the_clause_that_makes_it(self):
        assert fee().clause == "FEE-1"
        assert fee(state="TX").clause == "FEE-2"
        assert fee(funding="DEBIT", on_debit=False).clause == "FEE-4"
        assert fee(rates=[]).clause == "FEE-4"

    @pytest.mark.parametrize(
        ("amount", "expected"),
        [("0.49", "0.00"), ("0.50", "0.01"), ("1.49", "0.01"), ("1.50", "0.02"), ("99.99", "1.00"), ("33.33", "0.33")],
    )
    def test_is_rounded_half_up_once(self, amount, expected):
        assert fee(amount).amount == Decimal(expected)

    def test_has_the_places_of_its_currency(self):
        assert fee("12345", money="JPY").amount == Decimal(123)
        assert fee("1.234", money="KWD").amount == Decimal("0.012")

    @pytest.mark.parametrize(
        ("state", "funding", "expected"),
        [
            pytest.param("OH", "CREDIT", "4", id="state and funding"),
            pytest.param("OH", "DEBIT", "3", id="state"),
            pytest.param("NY", "CREDIT", "2", id="funding"),
            pytest.param("NY", "DEBIT", "1", id="neither"),
        ],
    )
    def test_is_of_the_narrowest_row(self, state, funding, expected):
        rates = [
            rate("4", state="OH", funding="CREDIT"),
            rate("1"),
            rate("3", state="OH"),
            rate("2", funding="CREDIT"),
        ]
        assert fee(state=state, funding=funding, rates=rates).amount == Decimal(expected)
        assert fee(state=state, funding=funding, rates=rates[::-1]).amount == Decimal(expected)

    @pytest.mark.parametrize(
        ("on", "expected"),
        [
            pytest.param(date(2026, 6, 29), "1", id="the day before the last of the old rate"),
            pytest.param(date(2026, 6, 30), "1", id="the old rate's last day"),
            pytest.param(date(2026, 7, 1), "2", id="the new rate's first day"),
            pytest.param(date(2026, 12, 31), "2", id="the new rate's last day"),
            pytest.param(date(2027, 1, 1), "0", id="the day after both"),
        ],
    )
    def test_changes_on_the_day_of_its_row(self, on, expected):
        rates = [
            rate("1", until=date(2026, 7, 1)),
            rate("2", since=date(2026, 7, 1), until=date(2027, 1, 1)),
        ]
        assert fee(rates=rates, on=on).amount == Decimal(expected)

    def test_of_two_rows_of_one_width_is_the_later(self):
        assert fee(rates=[rate("2", since=date(2026, 1, 1)), rate("1")]).amount == 2

    def test_is_at_most_the_cap(self):
        capped = [rate("1", cap="5")]
        assert fee("499.99", rates=capped).amount == Decimal("5.00")
        assert fee("500.01", rates=capped).amount == 5
        assert fee("90000", rates=capped).amount == 5

    def test_an_exempt_state_stays_exempt_for_a_row_of_a_funding(self):
        """FEE-2 is narrower than a rate for all credit cards."""
        assert fee(state="TX", rates=[*SHIPPED, rate("2", funding="CREDIT")]).amount == 0


class TestFeePart:
    """FEE-3: a partial refund returns the fee pro rata; together they return the fee."""

    @pytest.mark.parametrize("parts", [["33.33", "33.33", "33.34"], ["0.01", "99.99"], ["99.99", "0.01"], ["100.00"]])
    def test_parts_sum_to_the_fee(self, parts):
        amount_left, fee_left, given = Decimal("100.00"), Decimal("1.00"), []
        for part in map(Decimal, parts):
            given.append(fee_part(fee_left=fee_left, amount=part, amount_left=amount_left, currency="USD"))
            fee_left, amount_left = fee_left - given[-1], amount_left - part
        assert sum(given) == Decimal("1.00")
        assert min(given) >= 0

    def test_of_a_half_is_half(self):
        assert fee_part(
            fee_left=Decimal("3.00"), amount=Decimal(150), amount_left=Decimal(300), currency="USD"
        ) == Decimal("1.50")


class TestReturnCode:
    """What each code leads to: retry at most twice, stop, or ask for another account."""

    @pytest.mark.parametrize(
        ("code", "then"),
        [
            ("R01", Then.RETRY), ("R09", Then.RETRY),
            ("R02", Then.ASK_AGAIN), ("R03", Then.ASK_AGAIN), ("R04", Then.ASK_AGAIN), ("R20", Then.ASK_AGAIN),
            ("R05", Then.STOP), ("R07", Then.STOP), ("R10", Then.STOP), ("R29", Then.STOP),
            ("R99", Then.STOP), ("", Then.STOP),
        ],
    )  # fmt: skip
    def test_leads_to(self, code, then):
        assert return_code(code).then == then

    def test_of_no_kind_is_said_so(self):
        assert return_code("R99").words == "the bank gave the code R99"

    def test_is_late_from_the_61st_day(self):
        settled_on = date(2026, 1, 1)
        assert not returned_late(settled_on=settled_on, returned_on=date(2026, 3, 2))
        assert returned_late(settled_on=settled_on, returned_on=date(2026, 3, 3))


class TestNextAttempt:
    """SEAT-5: retries on the days of the terms, counted from the first attempt."""

    DAYS = [3, 5, 7]

    def declined(self, *days, hard=False):
        return [PastAttempt(date(2026, 3, day), date(2026, 3, day), hard) for day in days]

    def next(self, past, days=None):
        return next_attempt(past, retry_days=self.DAYS if days is None else days)

    def test_is_the_first_at_once(self):
        assert self.next([]) == (1, date.min, "")

    def test_counts_from_the_first(self):
        assert self.next(self.declined(1)).from_on == date(2026, 3, 4)
        assert self.next(self.declined(1, 4)).from_on == date(2026, 3, 6)
        assert self.next(self.declined(1, 4, 6)).from_on == date(2026, 3, 8)

    def test_ends_with_the_last_day(self):
        assert self.next(self.declined(1, 4, 6, 8)).why_not == "Every attempt was made: 4."

    def test_makes_up_for_a_missed_day_but_never_twice_on_one(self):
        """BillaBear lost a retry for good when its scheduler was down for a minute."""
        assert self.next(self.declined(1, 20)).from_on == date(2026, 3, 21)

    def test_never_follows_a_hard_decline(self):
        assert self.next(self.declined(1, hard=True)).why_not == "It was declined for good."

    def test_needs_days_in_the_terms(self):
        assert self.next(self.declined(1), days=[]).why_not

    def returned(self, *codes):
        return [
            PastAttempt(date(2026, 3, 1) + timedelta(days=5 * n), date(2026, 3, 4) + timedelta(days=5 * n), False, code)
            for n, code in enumerate(codes)
        ]

    def test_follows_a_return_twice_at_most(self):
        assert self.next(self.returned("R01")).from_on == date(2026, 3, 5)
        assert self.next(self.returned("R01", "R09")).from_on == date(2026, 3, 10)
        assert self.next(self.returned("R01", "R09", "R01")).why_not == "It was returned three times."

    @pytest.mark.parametrize("code", ["R02", "R10", "R29", "R99"])
    def test_never_follows_a_return_that_stops(self, code):
        assert self.next(self.returned(code)).why_not


class TestSpread:
    """Oldest due first."""

    def test_pays_each_before_the_next(self):
        owing = [(1, Decimal(40)), (2, Decimal(60)), (3, Decimal(10))]
        assert spread(Decimal(70), owing) == {1: 40, 2: 30}

    def test_leaves_what_is_over(self):
        assert spread(Decimal(70), [(1, Decimal(40))]) == {1: 40}

    def test_gives_nothing_to_what_owes_nothing(self):
        assert spread(Decimal(70), [(1, Decimal(0)), (2, Decimal(5))]) == {2: 5}


class TestOnSilence:
    """P4: the same key again, or none; after 24 hours an old key is looked up and never reused."""

    CREATED = datetime(2026, 3, 2, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("hours", "wanted", "expected"),
        [
            (0.1, True, Silence.SEND_AGAIN),
            (22.9, True, Silence.SEND_AGAIN),
            (23, True, Silence.WAIT),
            (23.9, True, Silence.WAIT),
            (24, True, Silence.NEVER_SENT),
            (0.9, False, Silence.WAIT),
            (1, False, Silence.NEVER_SENT),
            (24, False, Silence.NEVER_SENT),
        ],
    )
    def test_is_answered_by_age_and_need(self, hours, wanted, expected):
        now = self.CREATED + timedelta(hours=hours)
        assert on_silence(created_at=self.CREATED, now=now, wanted=wanted) == expected

    def test_looks_grow_apart(self):
        waits = [look_after(looks) for looks in range(8)]
        assert waits == sorted(waits)
        assert waits[0] == timedelta(minutes=1)
        assert waits[-1] == timedelta(hours=12)
        assert look_after(0, pending=True) == timedelta(days=1)
