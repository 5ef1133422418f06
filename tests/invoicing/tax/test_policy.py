"""TAX-1: which rates apply to an address on a day, which a certificate lifts, and what they come to on a line."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.money import minor_unit
from invoicing.tax.policy import Address, Exempt, Rate, covers, rates_at, taxes_on, valid_on, without_exempt

AUSTIN = Address("US", "TX", "Travis", "Austin", "78701")
NEW_YEAR = date(2026, 1, 1)


def rate(percent: str = "10", *, number: int = 1, name: str = "Sales tax", category: str = "", **place: str) -> Rate:
    since, until = place.pop("since", "2020-01-01"), place.pop("until", None)
    return Rate(
        number,
        Address(**{"country": "US", **place}),
        category,
        name,
        Decimal(percent),
        date.fromisoformat(since),
        date.fromisoformat(until) if until else None,
    )


def exempt(state: str = "", country: str = "US", since: str = "2020-01-01", until: str | None = None) -> Exempt:
    return Exempt(country, state, "C-1", date.fromisoformat(since), date.fromisoformat(until) if until else None)


class TestCovers:
    """TAX-1: a jurisdiction holds an address where each field it names is the address's; empty fields match all."""

    @pytest.mark.parametrize(
        ("place", "held"),
        [
            pytest.param(Address("US"), True, id="the whole country"),
            pytest.param(Address("CA"), False, id="another country"),
            pytest.param(Address("US", "TX"), True, id="the state"),
            pytest.param(Address("US", "NM"), False, id="another state"),
            pytest.param(Address("US", "tx", city="AUSTIN"), True, id="whatever the case"),
            pytest.param(Address("US", "TX", "Travis"), True, id="the county"),
            pytest.param(Address("US", "TX", "Bexar"), False, id="another county"),
            pytest.param(Address("US", "TX", city="Austin"), True, id="the city"),
            pytest.param(Address("US", "TX", city="Dallas"), False, id="another city"),
            pytest.param(Address("US", "TX", postal_code="78701"), True, id="the postal code"),
            pytest.param(Address("US", "TX", postal_code="78702"), False, id="another postal code"),
            pytest.param(Address("US", "NM", city="Austin"), False, id="a city of that name in another state"),
        ],
    )
    def test_compares_each_field_that_the_jurisdiction_names(self, place, held):
        assert covers(place, AUSTIN) is held

    @pytest.mark.parametrize(
        ("place", "held"),
        [
            pytest.param(Address("US", "TX", "Travis"), False, id="a county alone: the address does not say"),
            pytest.param(Address("US", "TX", "Travis", "Austin"), True, id="pinned by its city"),
            pytest.param(Address("US", "TX", "Travis", postal_code="78701"), True, id="pinned by its postal code"),
            pytest.param(Address("US", "TX", "Travis", "Dallas"), False, id="pinned by another city"),
        ],
    )
    def test_asks_no_county_of_an_address_without_one_where_city_or_postal_code_pin_it(self, place, held):
        assert covers(place, AUSTIN._replace(county="")) is held

    def test_lets_a_stated_county_speak_for_itself(self):
        assert not covers(Address("US", "TX", "Williamson", "Austin"), AUSTIN)

    @pytest.mark.parametrize("field", ["state", "city", "postal_code"])
    def test_asks_for_what_an_address_does_not_state(self, field):
        place = Address("US")._replace(**{field: getattr(AUSTIN, field)})
        assert not covers(place, AUSTIN._replace(**{field: ""}))


class TestValidOn:
    """TAX-1: half-open, `valid_to_on` is the first day it no longer holds."""

    @pytest.mark.parametrize(
        ("day", "valid"),
        [
            pytest.param("2025-12-31", False, id="the day before"),
            pytest.param("2026-01-01", True, id="the first day"),
            pytest.param("2026-06-30", True, id="the last day"),
            pytest.param("2026-07-01", False, id="the first day it no longer holds"),
        ],
    )
    def test_is_from_the_first_day_until_the_day_it_no_longer_holds(self, day, valid):
        assert valid_on(date.fromisoformat(day), date(2026, 1, 1), date(2026, 7, 1)) is valid

    def test_never_ends_without_a_last_day(self):
        assert valid_on(date(2999, 1, 1), date(2026, 1, 1), None)


class TestRatesAt:
    """TAX-1: every jurisdiction that holds the address, on the invoice's date."""

    def test_are_in_order_from_the_broadest_and_then_by_name(self):
        county = rate(number=1, name="Travis", state="TX", county="Travis")
        transit = rate(number=2, name="Transit", state="TX", city="Austin")
        state = rate(number=3, name="Texas", state="TX")
        country = rate(number=4, name="United States")
        assert rates_at(AUSTIN, (county, transit, state, country), on=NEW_YEAR) == (country, state, transit, county)

    def test_leave_out_other_places_and_other_days(self):
        here = rate(number=1, state="TX")
        elsewhere = rate(number=2, state="NM")
        over = rate(number=3, state="TX", until="2026-01-01")
        to_come = rate(number=4, state="TX", since="2026-01-02")
        assert rates_at(AUSTIN, (here, elsewhere, over, to_come), on=NEW_YEAR) == (here,)

    def test_change_over_on_the_day_one_ends_and_the_next_begins(self):
        old, new = rate("8", number=1, until="2026-01-01"), rate("9", number=2, since="2026-01-01")
        assert rates_at(AUSTIN, (old, new), on=date(2025, 12, 31)) == (old,)
        assert rates_at(AUSTIN, (old, new), on=NEW_YEAR) == (new,)

    def test_keep_every_category_for_the_lines_to_choose_from(self):
        service, goods = rate(number=1, category="service"), rate(number=2, category="goods")
        assert rates_at(AUSTIN, (service, goods), on=NEW_YEAR) == (service, goods)


class TestWithoutExempt:
    """TAX-1: exemptions, by country or one state of it, and by date."""

    COUNTRY, TEXAS, CITY = rate(number=1), rate(number=2, state="TX"), rate(number=3, state="TX", city="Austin")
    RATES = (COUNTRY, TEXAS, CITY)

    @pytest.mark.parametrize(
        ("certificate", "left"),
        [
            pytest.param(exempt(), (), id="the whole country: its states too"),
            pytest.param(exempt(state="TX"), (COUNTRY,), id="a state: with its cities, but not the country's own tax"),
            pytest.param(exempt(state="tx"), (COUNTRY,), id="whatever the case"),
            pytest.param(exempt(state="NM"), RATES, id="another state"),
            pytest.param(exempt(country="CA"), RATES, id="another country"),
            pytest.param(exempt(until="2026-01-01"), RATES, id="over since this day"),
            pytest.param(exempt(until="2026-01-02"), (), id="on its last day"),
            pytest.param(exempt(since="2026-01-01"), (), id="on its first day"),
            pytest.param(exempt(since="2026-01-02"), RATES, id="not yet begun"),
        ],
    )
    def test_keeps_what_the_certificate_does_not_lift(self, certificate, left):
        assert without_exempt(self.RATES, (certificate,), on=NEW_YEAR) == left

    def test_keeps_everything_without_a_certificate(self):
        assert without_exempt(self.RATES, (), on=NEW_YEAR) == self.RATES

    def test_lifts_what_any_one_of_several_certificates_lifts(self):
        certificates = (exempt(state="NM"), exempt(state="TX", until="2025-01-01"), exempt(state="TX"))
        assert without_exempt(self.RATES, certificates, on=NEW_YEAR) == (self.COUNTRY,)


class TestTaxesOn:
    """TAX-1: per line, each matching rate rounded by itself."""

    @pytest.mark.parametrize(
        ("category", "taxed"),
        [
            pytest.param("service", [1, 2], id="its own category and those for every category"),
            pytest.param("goods", [1], id="another category: those for every category alone"),
            pytest.param("", [1], id="a line without a category: those for every category alone"),
        ],
    )
    def test_matches_the_category_and_a_blank_one_is_every_category(self, category, taxed):
        rates = (rate(number=1), rate(number=2, category="service"))
        found = taxes_on(Decimal("100.00"), tax_category=category, rates=rates, currency="USD")
        assert [tax.rate_id for tax in found] == taxed

    def test_rounds_each_jurisdiction_by_itself(self):
        """Three times 0.125 is 0.39 where each is printed as 0.13, and not 0.38."""
        rates = tuple(rate("1.25", number=number) for number in (1, 2, 3))
        found = taxes_on(Decimal("10.00"), tax_category="", rates=rates, currency="USD")
        assert [str(tax.amount) for tax in found] == ["0.13", "0.13", "0.13"]

    @pytest.mark.parametrize(
        ("amount", "percent", "currency", "tax"),
        [
            pytest.param("99.99", "8.25", "USD", "8.25", id="a fraction of a percent"),
            pytest.param("-45.00", "8.25", "USD", "-3.71", id="a rebate gives its tax back"),
            pytest.param("-10.00", "1.25", "USD", "-0.13", id="half a cent back, away from zero"),
            pytest.param("0.00", "8.25", "USD", "0.00", id="nothing of nothing"),
            pytest.param("100.00", "0", "USD", "0.00", id="a rate of nought is shown"),
            pytest.param("105", "10", "JPY", "11", id="half a yen"),
            pytest.param("1.005", "10", "KWD", "0.101", id="half a thousandth of a dinar"),
        ],
    )
    def test_is_the_rate_of_the_line_at_the_currency_s_places(self, amount, percent, currency, tax):
        (found,) = taxes_on(Decimal(amount), tax_category="", rates=(rate(percent),), currency=currency)
        assert str(found.amount) == tax

    def test_copies_what_was_applied(self):
        (found,) = taxes_on(
            Decimal("20.00"), tax_category="", rates=(rate("8.25", number=9, name="Texas"),), currency="USD"
        )
        assert (found.rate_id, found.name, found.rate_percent, found.base) == (
            9,
            "Texas",
            Decimal("8.25"),
            Decimal("20.00"),
        )

    @given(
        st.decimals("-99999", "99999", places=2),
        st.decimals("0", "100", places=4),
        st.sampled_from(["USD", "JPY", "KWD"]),
    )
    def test_is_off_by_half_a_minor_unit_at_most(self, amount, percent, currency):
        (found,) = taxes_on(amount, tax_category="", rates=(rate(str(percent)),), currency=currency)
        assert abs(found.amount - amount * percent / 100) * 2 <= minor_unit(currency)
