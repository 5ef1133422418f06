"""What the terms billed on the 1st of the month make due: hosted services in arrears and in advance, and prepaid."""

from importlib import import_module

import pytest

from invoicing.invoices.pricing import charges_due
from tests.invoicing.invoices.pricing_factory import (
    HOSTED_DIRECT,
    HOSTED_PARTNER,
    MAIL,
    PREPAID,
    PRESETS,
    account,
    bill,
    day,
    due,
    holding,
    plan,
    version,
)

OFFICE = plan("office", version("2020-01-01", "20.00"), number=2, licensed=True)


class TestPresets:
    def test_of_these_tests_are_those_that_ship(self):
        shipped = import_module("invoicing.migrations.0003_presets").PRESETS
        assert [
            (
                *(preset["code"], preset["clause"], preset["timing"] == "ARREARS", preset["anchor"] == "ANNIVERSARY"),
                *(preset.get("settlement") == "BALANCE", preset["late_start"], preset["payment_due_days"]),
            )
            for preset in shipped
        ] == [
            (
                *(terms.code, terms.clause, terms.arrears, terms.anniversary),
                *(terms.from_balance, terms.late_start, terms.payment_due_days),
            )
            for terms in PRESETS
        ]


class TestHostedDirect:
    """BILL-1: the invoice dated the 1st is for services used in the month before."""

    def test_bills_the_month_that_ended(self):
        direct = account(HOSTED_DIRECT, holding("2026-02-01", quantity="3"))
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 3 x 10.00 = 30.00"]

    def test_bills_nothing_of_the_month_that_begins(self):
        assert due(account(HOSTED_DIRECT, holding("2026-03-01")), "2026-03-01") == []

    def test_bills_nothing_before_the_month_is_over(self):
        assert due(account(HOSTED_DIRECT, holding("2026-02-01")), "2026-02-28") == []

    def test_bills_the_whole_month_of_a_service_used_on_its_last_day_only(self):
        direct = account(HOSTED_DIRECT, holding("2026-02-28"))
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]

    def test_cites_its_clause(self):
        (charge,) = charges_due(account(HOSTED_DIRECT, holding("2026-02-01")), on=day("2026-03-01"))
        assert charge.clause == "BILL-1"
        assert charge.why == {"terms": "hosted-direct", "price": 1, "price_from": "2020-01-01"}

    def test_bills_each_month_once(self):
        direct = account(HOSTED_DIRECT, holding("2026-01-10", "2026-03-10"))
        assert bill(direct, "2026-02-01", "2026-03-01", "2026-03-01", "2026-04-01", "2026-05-01") == [
            ("2026-02-01", ["S-1 RECURRING 2026-01-01/2026-02-01: 1 x 10.00 = 10.00"]),
            ("2026-03-01", ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]),
            ("2026-03-01", []),
            ("2026-04-01", ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]),
            ("2026-05-01", []),
        ]

    def test_bills_a_set_up_fee_with_the_first_month(self):
        hosted = plan("hosted", version("2020-01-01", "10.00", setup_fee="25.00"))
        direct = account(HOSTED_DIRECT, holding("2026-02-10", held=hosted))
        assert bill(direct, "2026-02-10", "2026-03-01", "2026-04-01") == [
            ("2026-02-10", []),
            (
                "2026-03-01",
                [
                    "S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00",
                    "S-1 SETUP 2026-02-10/2026-02-11: 1 x 25.00 = 25.00",
                ],
            ),
            ("2026-04-01", ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]),
        ]


class TestEndedServices:
    """BILL-3: `ended_on` is the first day a service is no longer held."""

    @pytest.mark.parametrize(
        ("ended", "billed"),
        [
            pytest.param("2026-02-01", [], id="on the month's first day: not held in it"),
            pytest.param(
                "2026-02-02",
                ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"],
                id="on the second day: held for a day, billed for the month",
            ),
            pytest.param(
                "2026-03-01",
                ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"],
                id="on the next month's first day: held to the last",
            ),
        ],
    )
    def test_are_billed_for_the_month_they_were_still_held_in(self, ended, billed):
        direct = account(HOSTED_DIRECT, holding("2026-01-01", ended), look_from_on="2026-02-01")
        assert due(direct, "2026-03-01") == billed

    @pytest.mark.parametrize("terms", PRESETS, ids=lambda terms: terms.code)
    @pytest.mark.parametrize("on", ["2026-02-01", "2026-02-10", "2026-02-11", "2026-03-01", "2026-04-01"])
    def test_that_ended_on_the_day_they_started_are_never_billed(self, terms, on):
        hosted = plan("hosted", version("2020-01-01", "10.00", setup_fee="25.00", deposit="500.00"))
        assert due(account(terms, holding("2026-02-10", "2026-02-10", held=hosted)), on) == []


class TestHostedPartner:
    """BILL-2: the invoice dated the 1st is for the month that begins, one section a client."""

    def test_bills_the_month_that_begins(self):
        partner = account(HOSTED_PARTNER, holding("2026-03-01"))
        assert due(partner, "2026-03-01") == ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]

    def test_puts_each_client_s_lines_together_after_the_partner_s_own(self):
        partner = account(
            HOSTED_PARTNER,
            holding("2026-02-15", number=1, client=8),
            holding("2026-01-01", number=2, client=7),
            holding("2026-01-01", number=3, client=8),
            holding("2026-02-20", number=4, client=7),
            holding("2026-01-01", number=5),
            look_from_on="2026-02-01",
        )
        charges = charges_due(partner, on=day("2026-03-01"))
        assert [(charge.client_id, charge.subscription_id, charge.period.start.isoformat()) for charge in charges] == [
            *[(None, 5, "2026-02-01"), (None, 5, "2026-03-01")],
            *[(7, 2, "2026-02-01"), (7, 4, "2026-02-01"), (7, 2, "2026-03-01"), (7, 4, "2026-03-01")],
            *[(8, 1, "2026-02-01"), (8, 3, "2026-02-01"), (8, 1, "2026-03-01"), (8, 3, "2026-03-01")],
        ]

    def test_carries_a_service_added_after_the_1st_with_the_next_invoice_for_the_full_month(self):
        partner = account(HOSTED_PARTNER, holding("2026-03-02"))
        assert bill(partner, "2026-03-01", "2026-03-02", "2026-04-01", "2026-05-01") == [
            ("2026-03-01", []),
            ("2026-03-02", []),
            (
                "2026-04-01",
                [
                    "S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00",
                    "S-1 RECURRING 2026-04-01/2026-05-01: 1 x 10.00 = 10.00",
                ],
            ),
            ("2026-05-01", ["S-1 RECURRING 2026-05-01/2026-06-01: 1 x 10.00 = 10.00"]),
        ]

    def test_says_of_the_late_line_alone_that_it_is_late(self):
        charges = charges_due(account(HOSTED_PARTNER, holding("2026-03-02")), on=day("2026-04-01"))
        assert [charge.why.get("late") for charge in charges] == [True, None]
        assert [charge.clause for charge in charges] == ["BILL-2", "BILL-2"]

    def test_does_not_bill_a_client_removed_before_the_1st(self):
        partner = account(
            HOSTED_PARTNER,
            holding("2026-01-01", "2026-03-01", number=1, client=7),
            holding("2026-01-01", "2026-02-14", number=2, client=7),
            holding("2026-01-01", number=3, client=8),
        )
        assert bill(partner, "2026-02-01", "2026-03-01")[1] == (
            "2026-03-01",
            ["S-3 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"],
        )

    def test_bills_a_client_removed_on_the_2nd_for_the_full_month(self):
        partner = account(HOSTED_PARTNER, holding("2026-03-01", "2026-03-02", client=7))
        assert due(partner, "2026-03-01") == ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]

    def test_bills_what_was_added_and_removed_within_a_month_once_for_the_full_month(self):
        partner = account(HOSTED_PARTNER, holding("2026-03-10", "2026-03-12"))
        assert bill(partner, "2026-03-01", "2026-04-01", "2026-05-01") == [
            ("2026-03-01", []),
            ("2026-04-01", ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]),
            ("2026-05-01", []),
        ]

    def test_leaves_late_services_unbilled_where_the_terms_say_so(self):
        free_until_next = HOSTED_PARTNER._replace(late_start="NOT_BILLED")
        partner = account(free_until_next, holding("2026-03-02"))
        assert bill(partner, "2026-03-01", "2026-04-01") == [
            ("2026-03-01", []),
            ("2026-04-01", ["S-1 RECURRING 2026-04-01/2026-05-01: 1 x 10.00 = 10.00"]),
        ]


class TestHighestQuantity:
    """BILL-3: never prorated; any part of a billing month counts as the whole, at the highest quantity held in it."""

    @pytest.mark.parametrize(
        ("quantity", "later", "billed"),
        [
            pytest.param("5", [], "5 x 10.00 = 50.00", id="unchanged"),
            pytest.param("5", [("2026-02-28", "9")], "9 x 10.00 = 90.00", id="raised on the last day"),
            pytest.param("5", [("2026-03-01", "9")], "5 x 10.00 = 50.00", id="raised on the day after"),
            pytest.param("5", [("2026-02-02", "2")], "5 x 10.00 = 50.00", id="lowered on the second day"),
            pytest.param("5", [("2026-02-01", "2")], "2 x 10.00 = 20.00", id="lowered on the first day"),
            pytest.param(
                *("5", [("2026-02-10", "9"), ("2026-02-11", "1")], "9 x 10.00 = 90.00"), id="raised for a single day"
            ),
            pytest.param(
                *("5", [("2026-02-10", "1"), ("2026-02-11", "4")], "5 x 10.00 = 50.00"), id="lowered, then raised again"
            ),
            pytest.param(
                "5", [("2026-01-10", "7"), ("2026-02-20", "6")], "7 x 10.00 = 70.00", id="raised the month before"
            ),
            pytest.param("0.5", [], "0.5 x 10.00 = 5.00", id="a half"),
        ],
    )
    def test_of_the_month_is_billed(self, quantity, later, billed):
        direct = account(
            HOSTED_DIRECT, holding("2026-01-01", quantity=quantity, later=later), look_from_on="2026-02-01"
        )
        assert due(direct, "2026-03-01") == [f"S-1 RECURRING 2026-02-01/2026-03-01: {billed}"]

    def test_is_that_held_before_the_end_where_the_service_ended_within_the_month(self):
        ended = holding("2026-01-01", "2026-02-10", quantity="2", later=[("2026-02-10", "9")])
        direct = account(HOSTED_DIRECT, ended, look_from_on="2026-02-01")
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 2 x 10.00 = 20.00"]

    def test_of_nought_is_no_line(self):
        direct = account(HOSTED_DIRECT, holding("2026-01-01", later=[("2026-02-01", "0")]), look_from_on="2026-02-01")
        assert due(direct, "2026-03-01") == []

    def test_raised_after_the_invoice_is_billed_later_as_the_rest(self):
        partner = account(
            HOSTED_PARTNER,
            holding("2026-03-01", quantity="5", later=[("2026-03-10", "8"), ("2026-03-20", "6"), ("2026-03-25", "7")]),
        )
        assert bill(partner, "2026-03-01", "2026-04-01", "2026-05-01") == [
            ("2026-03-01", ["S-1 RECURRING 2026-03-01/2026-04-01: 5 x 10.00 = 50.00"]),
            (
                "2026-04-01",
                [
                    "S-1 RECURRING 2026-03-01/2026-04-01: 5 + 3 x 10.00 = 30.00",
                    "S-1 RECURRING 2026-04-01/2026-05-01: 7 x 10.00 = 70.00",
                ],
            ),
            ("2026-05-01", ["S-1 RECURRING 2026-05-01/2026-06-01: 7 x 10.00 = 70.00"]),
        ]


class TestRounding:
    """BILL-3: quantities and rates at six places, rounded once a line."""

    @pytest.mark.parametrize(
        ("currency", "quantity", "rate", "amount"),
        [
            pytest.param("USD", "3", "0.335", "3 x 0.335 = 1.01", id="half a cent up, and not three times 0.34"),
            pytest.param("USD", "0.333333", "0.015", "0.333333 x 0.015 = 0.00", id="less than half a cent"),
            pytest.param("JPY", "3", "0.5", "3 x 0.5 = 2", id="half a yen up"),
            pytest.param("KWD", "1", "0.1235", "1 x 0.1235 = 0.124", id="half a thousandth up"),
        ],
    )
    def test_happens_once_at_the_currency_s_places(self, currency, quantity, rate, amount):
        sold = plan("sold", version("2020-01-01", rate), currency=currency)
        direct = account(HOSTED_DIRECT, holding("2026-02-01", quantity=quantity, held=sold), currency=currency)
        assert due(direct, "2026-03-01") == [f"S-1 RECURRING 2026-02-01/2026-03-01: {amount}"]


class TestLicensed:
    """BILL-4: licensed services are billed whether used or not."""

    def test_are_billed_and_the_line_says_so(self):
        (charge,) = charges_due(account(HOSTED_DIRECT, holding("2026-02-01", held=OFFICE)), on=day("2026-03-01"))
        assert charge.amount == 20
        assert charge.why["licensed"] is True

    def test_say_nothing_of_the_kind_on_other_lines(self):
        (charge,) = charges_due(account(HOSTED_DIRECT, holding("2026-02-01", held=MAIL)), on=day("2026-03-01"))
        assert "licensed" not in charge.why


class TestPrepaid:
    """PRE-1: monthly charges on the 1st, and everything else as it happens."""

    def test_bills_the_month_that_begins(self):
        assert due(account(PREPAID, holding("2026-03-01")), "2026-03-01") == [
            "S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"
        ]

    def test_bills_what_is_added_on_the_day_for_the_full_month(self):
        prepaid = account(PREPAID, holding("2026-03-10", later=[("2026-03-20", "3")]))
        assert bill(prepaid, "2026-03-01", "2026-03-10", "2026-03-20", "2026-04-01") == [
            ("2026-03-01", []),
            ("2026-03-10", ["S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00"]),
            ("2026-03-20", ["S-1 RECURRING 2026-03-01/2026-04-01: 1 + 2 x 10.00 = 20.00"]),
            ("2026-04-01", ["S-1 RECURRING 2026-04-01/2026-05-01: 3 x 10.00 = 30.00"]),
        ]

    def test_cites_its_clause(self):
        (charge,) = charges_due(account(PREPAID, holding("2026-03-01")), on=day("2026-03-01"))
        assert charge.clause == "PRE-1"
