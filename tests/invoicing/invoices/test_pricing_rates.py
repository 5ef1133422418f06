"""Which rate a charge has, what stands in the way of it, one-off charges, and what was billed elsewhere."""

import pytest

from invoicing.invoices.charges import Unbillable
from invoicing.invoices.pricing import charges_due
from tests.invoicing.invoices.pricing_factory import (
    HOSTED_DIRECT,
    HOSTED_PARTNER,
    MAIL,
    PER_SEAT,
    PREPAID,
    account,
    after,
    bill,
    day,
    due,
    holding,
    lines,
    one_off,
    plan,
    version,
)


class TestPriceVersion:
    """BILL-3: a price is the version valid on the first day of the period; an agreed price wins."""

    @pytest.mark.parametrize(
        ("valid_from", "billed"),
        [
            pytest.param("2026-02-01", "1 x 12.00 = 12.00", id="on the period's first day: the new price"),
            pytest.param("2026-02-02", "1 x 10.00 = 10.00", id="on the second day: still the old one"),
            pytest.param("2026-01-31", "1 x 12.00 = 12.00", id="on the day before"),
        ],
    )
    def test_is_that_of_the_period_s_first_day(self, valid_from, billed):
        sold = plan("sold", version("2020-01-01", "10.00"), version(valid_from, "12.00", number=2))
        direct = account(HOSTED_DIRECT, holding("2026-02-01", held=sold))
        assert due(direct, "2026-03-01") == [f"S-1 RECURRING 2026-02-01/2026-03-01: {billed}"]

    def test_is_kept_with_the_line(self):
        sold = plan("sold", version("2020-01-01", "10.00"), version("2026-02-01", "12.00", number=2))
        (charge,) = charges_due(account(HOSTED_DIRECT, holding("2026-02-01", held=sold)), on=day("2026-03-01"))
        assert charge.why == {"terms": "hosted-direct", "price": 2, "price_from": "2026-02-01"}

    def test_of_each_missed_month_is_that_month_s(self):
        sold = plan("sold", version("2020-01-01", "10.00"), version("2026-02-01", "12.00", number=2))
        assert due(account(HOSTED_DIRECT, holding("2026-01-01", held=sold)), "2026-03-01") == [
            "S-1 RECURRING 2026-01-01/2026-02-01: 1 x 10.00 = 10.00",
            "S-1 RECURRING 2026-02-01/2026-03-01: 1 x 12.00 = 12.00",
        ]

    def test_of_the_rest_of_a_quantity_is_the_period_s_too(self):
        sold = plan("sold", version("2020-01-01", "10.00"), version("2026-03-05", "12.00", number=2))
        partner = account(HOSTED_PARTNER, holding("2026-03-01", held=sold, later=[("2026-03-10", "2")]))
        assert bill(partner, "2026-03-01", "2026-04-01")[1][1] == [
            "S-1 RECURRING 2026-03-01/2026-04-01: 1 + 1 x 10.00 = 10.00",
            "S-1 RECURRING 2026-04-01/2026-05-01: 2 x 12.00 = 24.00",
        ]

    def test_gives_way_to_an_agreed_price(self):
        direct = account(HOSTED_DIRECT, holding("2026-02-01", quantity="3", unit_price="7.50"))
        (charge,) = charges_due(direct, on=day("2026-03-01"))
        assert lines([charge]) == ["S-1 RECURRING 2026-02-01/2026-03-01: 3 x 7.50 = 22.50"]
        assert charge.why["agreed"] is True

    def test_gives_way_to_an_agreed_price_of_nothing(self):
        direct = account(HOSTED_DIRECT, holding("2026-02-01", unit_price="0.00"))
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 0.00 = 0.00"]

    def test_leaves_the_set_up_fee_as_it_is_where_the_rate_is_agreed(self):
        hosted = plan("hosted", version("2020-01-01", "10.00", setup_fee="25.00"))
        charges = charges_due(
            account(HOSTED_DIRECT, holding("2026-02-01", held=hosted, unit_price="7.50")), on=day("2026-03-01")
        )
        assert [(charge.kind, str(charge.amount), "agreed" in charge.why) for charge in charges] == [
            ("RECURRING", "7.50", True),
            ("SETUP", "25.00", False),
        ]

    def test_is_that_of_the_first_day_held_where_the_plan_was_not_sold_before(self):
        young = plan("young", version("2026-02-10", "10.00"))
        direct = account(HOSTED_DIRECT, holding("2026-02-15", held=young))
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]


class TestUnbillable:
    def test_names_what_is_missing_and_what_would_mend_it(self):
        unsold = plan("unsold", version("2026-02-10", "10.00"))
        with pytest.raises(Unbillable) as caught:
            charges_due(account(HOSTED_DIRECT, holding("2026-02-09", held=unsold)), on=day("2026-03-01"))
        assert caught.value.reasons == [
            "Plan unsold has no price in USD on 2026-02-01, for subscription S-1. "
            "Add a price of the plan that is valid then, or an agreed price of the subscription."
        ]

    def test_names_every_reason_once(self):
        euros = plan("euros", version("2020-01-01", "10.00"), currency="EUR")
        direct = account(
            HOSTED_DIRECT,
            holding("2026-02-01", held=euros, number=2),
            holding("2026-02-01", held=MAIL, number=3),
            holding("2026-02-01", held=euros, number=1),
            one_offs=(one_off("2026-02-10", None, held=euros), one_off("2026-02-10", None, held=euros, number=2)),
        )
        with pytest.raises(Unbillable) as caught:
            charges_due(direct, on=day("2026-03-01"))
        assert [reason.partition(". ")[0] for reason in caught.value.reasons] == [
            "Plan euros has no price in USD on 2026-02-01, for subscription S-1",
            "Plan euros has no price in USD on 2026-02-01, for subscription S-2",
            "Plan euros has no price in USD on 2026-02-10, for a one-off charge",
        ]
        assert str(caught.value) == " ".join(caught.value.reasons)

    def test_is_not_raised_for_a_price_that_is_not_needed_yet(self):
        young = plan("young", version("2026-03-10", "10.00"))
        assert due(account(HOSTED_DIRECT, holding("2026-03-01", held=young)), "2026-03-01") == []

    def test_is_not_raised_where_the_price_is_agreed(self):
        unsold = plan("unsold")
        (charge,) = charges_due(
            account(HOSTED_DIRECT, holding("2026-02-01", held=unsold, unit_price="7.50")), on=day("2026-03-01")
        )
        assert (str(charge.amount), charge.why["price"]) == ("7.50", 0)


class TestOneOffCharges:
    """BILL-1, BILL-2, PRE-1: carried by the next invoice; in arrears by the one for its month."""

    @pytest.mark.parametrize(
        ("terms", "on", "carried"),
        [
            pytest.param(HOSTED_DIRECT, "2026-02-28", True, id="arrears: the day before"),
            pytest.param(HOSTED_DIRECT, "2026-03-01", False, id="arrears: the invoice's own day is the next month's"),
            pytest.param(HOSTED_PARTNER, "2026-03-01", True, id="advance: the invoice's own day"),
            pytest.param(HOSTED_PARTNER, "2026-03-02", False, id="advance: the day after"),
            pytest.param(PREPAID, "2026-03-01", True, id="prepaid: the day itself"),
            pytest.param(PER_SEAT, "2026-03-01", True, id="per seat: the day itself"),
            pytest.param(HOSTED_DIRECT, "2025-03-01", True, id="a year ago, and never billed"),
        ],
    )
    def test_are_carried_by_the_invoice_of_the_1st_of_march(self, terms, on, carried):
        printed = due(account(terms, one_offs=(one_off(on, number=4),), look_from_on="2026-02-01"), "2026-03-01")
        assert [line.partition(" 20")[0] for line in printed] == (["one-off 4"] if carried else [])

    def test_are_billed_once(self):
        partner = account(HOSTED_PARTNER, one_offs=(one_off("2026-02-10"),))
        assert [len(printed) for _, printed in bill(partner, "2026-03-01", "2026-04-01")] == [1, 0]

    @pytest.mark.parametrize(
        ("unit_price", "amount", "agreed"),
        [
            pytest.param("75.00", "75.00", True, id="own price"),
            pytest.param(None, "10.00", False, id="the plan's, on its day"),
        ],
    )
    def test_have_their_own_price_or_the_plan_s(self, unit_price, amount, agreed):
        dearer = plan("dearer", version("2020-01-01", "10.00"), version("2026-02-11", "12.00", number=2))
        charges = charges_due(
            account(HOSTED_PARTNER, one_offs=(one_off("2026-02-10", unit_price, held=dearer),)), on=day("2026-03-01")
        )
        assert [(str(charge.amount), charge.why.get("agreed", False)) for charge in charges] == [(amount, agreed)]

    def test_cite_the_authorization(self):
        (charge,) = charges_due(account(PER_SEAT, one_offs=(one_off("2026-03-01"),)), on=day("2026-03-01"))
        assert charge.clause == "AUTH-6"

    @pytest.mark.parametrize(
        ("description", "printed"), [("Migration of 3 domains", "Migration of 3 domains"), ("", "Mail")]
    )
    def test_are_described_in_their_own_words_or_by_the_plan_s_name(self, description, printed):
        charge = one_off("2026-03-01", description=description)
        assert charges_due(account(PER_SEAT, one_offs=(charge,)), on=day("2026-03-01"))[0].description == printed

    def test_of_one_day_are_in_the_same_order_however_they_were_read(self):
        first, second = one_off("2026-02-10", number=1), one_off("2026-02-10", number=2)
        assert due(account(HOSTED_PARTNER, one_offs=(second, first)), "2026-03-01") == due(
            account(HOSTED_PARTNER, one_offs=(first, second)), "2026-03-01"
        )

    def test_of_a_client_stand_with_the_client_s_services(self):
        partner = account(
            HOSTED_PARTNER,
            holding("2026-03-01", number=1, client=7),
            holding("2026-03-01", number=2, client=8),
            one_offs=(one_off("2026-03-01", client=7),),
        )
        charges = charges_due(partner, on=day("2026-03-01"))
        assert [(charge.client_id, charge.kind) for charge in charges] == [
            *[(7, "RECURRING"), (7, "ONE_OFF"), (8, "RECURRING")]
        ]


class TestBillFromOn:
    """Periods that begin before it were billed elsewhere."""

    @pytest.mark.parametrize(
        ("bill_from", "periods"),
        [
            pytest.param("2026-01-01", ["2026-01-01", "2026-02-01"], id="on a period's first day: that period is ours"),
            pytest.param("2026-01-02", ["2026-02-01"], id="on the second day: that period is not"),
            pytest.param("2026-02-01", ["2026-02-01"], id="a month later"),
            pytest.param("2026-03-01", [], id="nothing ours has ended"),
        ],
    )
    def test_is_the_first_day_a_billed_period_may_begin_on(self, bill_from, periods):
        direct = account(HOSTED_DIRECT, holding("2025-06-10"), bill_from=bill_from)
        charges = charges_due(direct, on=day("2026-03-01"))
        assert [charge.period.start.isoformat() for charge in charges] == periods

    def test_leaves_the_set_up_fee_of_an_earlier_month_to_whoever_billed_it(self):
        hosted = plan("hosted", version("2020-01-01", "10.00", setup_fee="25.00"))
        direct = account(HOSTED_DIRECT, holding("2026-01-20", held=hosted), bill_from="2026-02-01")
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]

    def test_leaves_the_set_up_fee_of_a_month_that_began_before_it_as_well(self):
        hosted = plan("hosted", version("2020-01-01", "10.00", setup_fee="25.00"))
        direct = account(HOSTED_DIRECT, holding("2026-01-20", held=hosted), bill_from="2026-01-15")
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]

    def test_leaves_earlier_one_off_charges_alone(self):
        direct = account(
            HOSTED_DIRECT,
            bill_from="2026-02-01",
            one_offs=(one_off("2026-01-31", number=1), one_off("2026-02-01", number=2)),
        )
        assert due(direct, "2026-03-01") == ["one-off 2 2026-02-01/2026-02-02: 1 x 75.00 = 75.00"]

    @pytest.mark.parametrize(
        ("bill_from", "first"),
        [
            pytest.param("2026-01-31", "2026-01-31", id="on a billing date"),
            pytest.param("2026-02-01", "2026-02-28", id="the day after: the next billing date, a clamped one"),
        ],
    )
    def test_of_an_anniversary_waits_for_the_account_s_own_billing_date(self, bill_from, first):
        company = account(PER_SEAT, holding("2025-01-31"), billing_day=31, bill_from=bill_from)
        assert charges_due(company, on=day("2026-03-31"))[0].period.start == day(first)


class TestCatchingUp:
    """Lago: a clock that was down over a billing day never billed it. P2: a missed month is caught up."""

    def test_bills_missed_months_oldest_first(self):
        direct = account(HOSTED_DIRECT, holding("2025-11-20", number=1), holding("2026-01-05", "2026-01-06", number=2))
        assert due(direct, "2026-03-01") == [
            "S-1 RECURRING 2025-11-01/2025-12-01: 1 x 10.00 = 10.00",
            "S-1 RECURRING 2025-12-01/2026-01-01: 1 x 10.00 = 10.00",
            "S-1 RECURRING 2026-01-01/2026-02-01: 1 x 10.00 = 10.00",
            "S-2 RECURRING 2026-01-01/2026-02-01: 1 x 10.00 = 10.00",
            "S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00",
        ]

    def test_bills_only_the_months_that_were_missed(self):
        direct = account(HOSTED_DIRECT, holding("2026-01-01"))
        january = charges_due(direct, on=day("2026-02-01"))
        missed = after(direct, january, on=day("2026-02-01"))
        assert due(missed, "2026-04-20") == [
            "S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00",
            "S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00",
        ]

    def test_bills_a_missed_purchase_and_its_fees_once(self):
        seat = plan("seat", version("2020-01-01", "60.00", setup_fee="100.00", deposit="500.00"))
        company = account(PER_SEAT, holding("2026-01-20", held=seat), billing_day=15)
        assert bill(company, "2026-03-01", "2026-03-02") == [
            (
                "2026-03-01",
                [
                    "S-1 RECURRING 2026-01-15/2026-02-15: 1 x 60.00 = 60.00",
                    "S-1 SETUP 2026-01-20/2026-01-21: 1 x 100.00 = 100.00",
                    "S-1 DEPOSIT 2026-01-20/2026-01-21: 1 x 500.00 = 500.00",
                    "S-1 RECURRING 2026-02-15/2026-03-15: 1 x 60.00 = 60.00",
                ],
            ),
            ("2026-03-02", []),
        ]
