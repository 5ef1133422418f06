"""What each sheet of a book becomes."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.models import Account, AuditEntry, Contact, ContactRole
from invoicing.book.operations import BookRefused
from invoicing.catalog.models import Plan, Price, Product
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.sellers.models import Seller
from invoicing.subscriptions.models import BillingProfile, Inactivity, OneOffCharge, QuantityChange, Subscription
from invoicing.tax.models import Exemption, TaxRate
from tests.invoicing.book.books import (
    ACCOUNTS,
    NOW,
    ONE_OFF_CHARGES,
    PRICES,
    PRODUCTS,
    SUBSCRIPTIONS,
    WHOLE_BOOK,
    changed,
    import_sheets,
)

CUSTOMER = "number,name,terms,signed_up_on\nC-1,Acme,hosted-direct,2026-01-15\n"


class TestWholeBook:
    def test_counts_every_row_as_new(self, imported):
        assert imported.counts == {
            "products": {"new": 3, "changed": 0, "unchanged": 0},
            "prices": {"new": 2, "changed": 0, "unchanged": 0},
            "accounts": {"new": 4, "changed": 0, "unchanged": 0},
            "contacts": {"new": 3, "changed": 0, "unchanged": 0},
            "subscriptions": {"new": 4, "changed": 0, "unchanged": 0},
            "quantities": {"new": 1, "changed": 0, "unchanged": 0},
            "inactivity": {"new": 1, "changed": 0, "unchanged": 0},
            "one_off_charges": {"new": 2, "changed": 0, "unchanged": 0},
            "tax_rates": {"new": 2, "changed": 0, "unchanged": 0},
            "exemptions": {"new": 1, "changed": 0, "unchanged": 0},
        }

    def test_leaves_one_audit_entry_with_who_where_and_the_counts(self, imported):
        entry = AuditEntry.objects.get()

        assert (entry.action, entry.subject, entry.who, entry.channel) == (
            "book.import", "book book", "Mia Manager", "CONSOLE",
        )  # fmt: skip
        assert entry.at == NOW
        assert entry.detail["accounts"] == {"new": 4, "changed": 0, "unchanged": 0}

    @pytest.mark.parametrize("sheet", sorted(WHOLE_BOOK))
    def test_any_sheet_may_be_absent_once_what_it_names_is_stored(self, imported, folder, sheet):
        plan = import_sheets(folder, {name: text for name, text in WHOLE_BOOK.items() if name != sheet})

        assert not plan.changes_something
        assert sheet not in plan.sheets


class TestAccounts:
    def test_a_customer_is_stored_as_the_row_says(self, imported):
        account = Account.objects.get(number="C-1")

        assert (account.name, account.kind, account.parent) == ("Acme, Inc.", "CUSTOMER", None)
        assert (account.address_line, account.city, account.county) == ("1 Main Street", "Denver", "Denver")
        assert (account.state, account.postal_code, account.country) == ("CO", "80202", "US")
        assert account.phone == "303-555-0100"
        assert account.signed_up_on == date(2026, 1, 15)
        assert account.invoice_emails == ["ap@acme.example", "cfo@acme.example"]

    def test_a_customer_is_billed_by_the_default_seller_as_the_row_says(self, imported):
        profile = BillingProfile.objects.get(account__number="C-1")

        assert profile.seller.is_default
        assert (profile.terms.code, profile.currency, profile.billing_day) == ("hosted-direct", "USD", None)
        assert (profile.payment_method, profile.bill_from_on) == ("ACH", date(2026, 11, 1))
        assert profile.opening_balance == Decimal("120.50")

    def test_a_client_hangs_on_its_partner_and_has_no_billing_of_its_own(self, imported):
        client = Account.objects.get(number="K-1")

        assert client.parent.number == "P-1"
        assert not BillingProfile.objects.filter(account=client).exists()

    def test_what_is_left_open_is_a_customer_of_the_sellers_currency_in_the_us(self, imported):
        account = Account.objects.get(number="S-1")

        assert (account.kind, account.country, account.billing_profile.currency) == ("CUSTOMER", "US", "USD")

    def test_a_blank_day_of_signing_up_is_the_first_subscriptions(self, imported):
        assert Account.objects.get(number="S-1").signed_up_on == date(2026, 10, 31)

    def test_a_blank_billing_day_is_the_day_of_the_first_subscription(self, db, folder):
        accounts = changed(ACCOUNTS, "per-seat,,,,,,,,,,31,", "per-seat,,,,,,,,,,,")
        import_sheets(folder, WHOLE_BOOK | {"accounts": accounts, "inactivity": "subscription,period_start_on\n"})

        assert BillingProfile.objects.get(account__number="S-1").billing_day == 31

    def test_a_blank_billing_day_without_a_subscription_is_the_day_of_signing_up(self, db, folder):
        import_sheets(folder, {"accounts": "number,name,terms,signed_up_on\nS-2,Seats,per-seat,2026-03-09\n"})

        assert BillingProfile.objects.get(account__number="S-2").billing_day == 9

    def test_a_currency_left_out_is_the_sellers(self, db, folder):
        Seller.objects.update(currency="EUR")
        import_sheets(folder, {"accounts": CUSTOMER})

        assert BillingProfile.objects.get(account__number="C-1").currency == "EUR"

    def test_cells_that_look_like_formulas_are_text(self, db, folder):
        import_sheets(folder, {"accounts": changed(CUSTOMER, "Acme", "=HYPERLINK(1)")})

        assert Account.objects.get(number="C-1").name == "=HYPERLINK(1)"


class TestContacts:
    """AUTH-1."""

    def test_each_has_the_roles_of_its_row(self, imported):
        ann = Contact.objects.get(email="ann@acme.example")

        assert (ann.name, ann.phone, ann.account.number) == ("Ann Archer", "303-555-0101", "C-1")
        assert set(ann.roles.values_list("role", flat=True)) == {"PRIMARY", "ADMINISTRATOR"}

    def test_an_address_is_the_same_in_capitals(self, imported, folder):
        contacts = "account,name,email,roles\nC-1,Ann Arrow,Ann@ACME.example,primary\n"
        plan = import_sheets(folder, {"contacts": contacts})

        assert plan.counts["contacts"] == {"new": 0, "changed": 1, "unchanged": 0}
        assert Contact.objects.get(email="Ann@ACME.example").name == "Ann Arrow"

    def test_the_rows_roles_replace_those_that_were(self, imported, folder):
        import_sheets(folder, {"contacts": "account,name,email,roles\nC-1,Bob Binder,bob@acme.example,technical\n"})

        assert list(ContactRole.objects.filter(contact__name="Bob Binder").values_list("role", flat=True)) == [
            "TECHNICAL"
        ]

    def test_the_primary_passes_on_where_the_book_has_both_rows(self, imported, folder):
        contacts = "account,name,email,roles\nC-1,Bob,bob@acme.example,primary\nC-1,Ann,ann@acme.example,technical\n"
        import_sheets(folder, {"contacts": contacts})

        assert ContactRole.objects.get(account__number="C-1", role="PRIMARY").contact.name == "Bob"


class TestProducts:
    def test_each_gets_a_plan_of_its_code_and_a_price_from_the_beginning(self, imported):
        plan = Plan.objects.get(code="crm")
        price = plan.prices.get(valid_from_on=date(2000, 1, 1))

        assert (plan.name, plan.product.code, plan.product.name) == ("CRM seat", "crm", "CRM seat")
        assert (plan.product.charge, plan.product.tax_category, plan.product.licensed) == ("RECURRING", "saas", True)
        assert plan.product.vendor.name == "Contoso Apps"
        assert (price.currency, price.unit_price, price.inactive_price) == ("USD", Decimal(30), Decimal("12.5"))
        assert (price.setup_fee, price.change_fee, price.deposit) == (10, 5, 500)

    def test_a_blank_inactive_price_is_none_and_a_blank_fee_zero(self, imported):
        price = Price.objects.get(plan__code="mail", currency="USD")

        assert (price.inactive_price, price.setup_fee) == (None, 0)

    def test_one_off_products_are_such(self, imported):
        assert Product.objects.get(code="work").charge == "ONE_OFF"

    def test_a_columns_absence_leaves_what_is_stored(self, imported, folder):
        plan = import_sheets(folder, {"products": "code,name,unit_price\ncrm,CRM seat,30\n"})

        assert plan.counts["products"] == {"new": 0, "changed": 0, "unchanged": 1}
        assert Product.objects.get(code="crm").vendor.name == "Contoso Apps"


class TestPrices:
    def test_a_later_version_takes_over_the_fees_of_the_one_before(self, imported):
        price = Price.objects.get(plan__code="crm", valid_from_on=date(2027, 1, 1))

        assert (price.unit_price, price.setup_fee, price.change_fee) == (33, 10, 5)
        assert (price.inactive_price, price.deposit) == (Decimal("12.5"), 500)

    def test_another_currency_begins_with_its_own_row(self, imported):
        price = Price.objects.get(plan__code="mail", currency="EUR")

        assert (price.unit_price, price.valid_from_on) == (Decimal("4.20"), date(2026, 1, 1))

    def test_a_changed_fee_of_the_product_holds_for_the_books_versions(self, imported, folder):
        products = changed(PRODUCTS, "30,10,5", "30,20,5")
        plan = import_sheets(folder, {"products": products, "prices": PRICES})

        assert (plan.counts["products"]["changed"], plan.counts["prices"]["changed"]) == (1, 1)
        assert set(Price.objects.filter(plan__code="crm").values_list("setup_fee", flat=True)) == {Decimal(20)}

    def test_versions_may_stand_for_the_products_price(self, db, folder):
        sheets = {
            "products": "code,name\nmail,Mailbox\n",
            "prices": "product,unit_price,valid_from_on\nmail,4,2026-01-01\n",
        }
        import_sheets(folder, sheets)

        assert Price.objects.get().valid_from_on == date(2026, 1, 1)
        assert not import_sheets(folder, sheets).changes_something

    def test_a_version_of_the_first_day_may_repeat_the_products_price_but_not_contradict_it(self, db, folder):
        products = "code,name,unit_price\nmail,Mailbox,4\n"
        import_sheets(
            folder, {"products": products, "prices": "product,unit_price,valid_from_on\nmail,4.0,2000-01-01\n"}
        )
        with pytest.raises(BookRefused) as refused:
            import_sheets(
                folder, {"products": products, "prices": "product,unit_price,valid_from_on\nmail,5,2000-01-01\n"}
            )

        assert refused.value.errors[0].wrong == "products.csv gives mail another price from 2000-01-01."


class TestSubscriptions:
    def test_each_is_held_as_the_row_says(self, imported):
        held = Subscription.objects.get(reference="M-1")

        assert (held.account.number, held.plan.code, held.label) == ("C-1", "mail", "acme.example")
        assert (held.quantity, held.unit_price, held.started_on, held.ended_on) == (25, None, date(2026, 1, 15), None)

    def test_a_blank_quantity_is_one(self, imported):
        assert Subscription.objects.get(reference="S-1/crm").quantity == 1

    def test_a_blank_reference_is_made_of_account_and_product_in_order(self, imported):
        labels = dict(Subscription.objects.filter(account__number="S-1").values_list("reference", "label"))

        assert labels == {"S-1/crm": "Sam Seat", "S-1/crm/2": "Sue Seat"}

    def test_a_clients_keeps_its_agreed_price_and_end(self, imported):
        held = Subscription.objects.get(reference="K-1/mail")

        assert (held.unit_price, held.ended_on) == (Decimal("3.999999"), date(2026, 12, 15))

    def test_quantities_over_time(self, imported):
        change = QuantityChange.objects.get()

        assert (change.subscription.reference, change.from_on, change.quantity) == ("M-1", date(2026, 3, 10), 30)

    def test_inactivity_of_a_billing_period(self, imported):
        """The 31st falls on the last day of November."""
        inactive = Inactivity.objects.get()

        assert (inactive.subscription.label, inactive.period_start_on) == ("Sue Seat", date(2026, 11, 30))
        assert inactive.kind == "DEEMED"


class TestOneOffCharges:
    def test_each_is_authorized_by_the_import(self, imported):
        charge = OneOffCharge.objects.order_by("id").first()

        assert (charge.account.number, charge.plan.code, charge.description) == ("C-1", "work", "Migration of mail")
        assert (charge.quantity, charge.unit_price, charge.on) == (Decimal("2.5"), None, date(2026, 11, 18))
        assert (charge.authorized_by, charge.authorized_at, charge.billed_on) == ("book import", NOW, None)

    def test_rows_alike_are_told_apart_by_their_order(self, imported, folder):
        first, second = ONE_OFF_CHARGES.splitlines()[1:]
        sheet = "\n".join([ONE_OFF_CHARGES.splitlines()[0], first, changed(second, "2.5", "3")])
        plan = import_sheets(folder, {"one_off_charges": sheet})

        assert plan.counts["one_off_charges"] == {"new": 0, "changed": 1, "unchanged": 1}
        assert list(OneOffCharge.objects.order_by("id").values_list("quantity", flat=True)) == [
            Decimal("2.5"),
            Decimal(3),
        ]

    def test_one_that_waits_for_its_authorization_is_left_alone(self, imported, folder):
        """AUTH-6: an import does not authorize what a Billing Contact raised."""
        OneOffCharge.objects.update(authorized_at=None, authorized_by="")
        plan = import_sheets(folder, {"one_off_charges": ONE_OFF_CHARGES})

        assert plan.counts["one_off_charges"]["new"] == 2
        assert OneOffCharge.objects.filter(authorized_at=None).count() == 2


class TestTaxes:
    def test_rates_follow_each_other(self, imported):
        rates = TaxRate.objects.order_by("valid_from_on").values_list(
            "state", "tax_category", "rate_percent", "valid_to_on"
        )

        assert list(rates) == [("CO", "saas", Decimal("2.9"), date(2027, 1, 1)), ("CO", "saas", Decimal(3), None)]

    def test_a_rate_that_ends_makes_room_for_the_next(self, db, folder):
        header, first, second = WHOLE_BOOK["tax_rates"].splitlines()
        import_sheets(folder, {"tax_rates": "\n".join([header, changed(first, "2027-01-01", "")])})
        plan = import_sheets(folder, {"tax_rates": "\n".join([header, second, first])})

        assert plan.counts["tax_rates"] == {"new": 1, "changed": 1, "unchanged": 0}

    def test_exemptions(self, imported):
        exemption = Exemption.objects.get()

        assert (exemption.account.number, exemption.country, exemption.state) == ("C-1", "US", "CO")
        assert (exemption.certificate, exemption.valid_from_on) == ("CO-4711", date(2026, 1, 1))


class TestOpeningBalance:
    """P5: what was owed is posted, and later corrected by another entry."""

    def test_is_posted_as_a_receivable_on_the_day_from_which_we_bill(self, imported):
        entry = LedgerEntry.objects.get()
        account = Account.objects.get(number="C-1")

        assert (entry.account, entry.kind, entry.source) == (account, "OPENING", f"opening:{account.pk}:1")
        assert (entry.currency, entry.on, entry.at) == ("USD", date(2026, 11, 1), NOW)
        assert dict(entry.postings.values_list("ledger_account", "amount")) == {
            "RECEIVABLE": Decimal("120.50"), "OPENING": Decimal("-120.50"),
        }  # fmt: skip

    def test_a_changed_one_posts_the_difference(self, imported, folder):
        import_sheets(folder, WHOLE_BOOK | {"accounts": changed(ACCOUNTS, ",120.50", ",100")})
        account = Account.objects.get(number="C-1")

        entry = LedgerEntry.objects.get(source=f"opening:{account.pk}:2")
        assert entry.postings.get(ledger_account="RECEIVABLE").amount == Decimal("-20.50")
        assert (
            sum(posting.amount for posting in Posting.objects.filter(account=account, ledger_account="RECEIVABLE"))
            == 100
        )

    def test_without_a_first_day_it_is_posted_today_as_the_seller_has_it(self, db, folder):
        Seller.objects.update(time_zone="Pacific/Auckland")
        accounts = "number,name,terms,signed_up_on,opening_balance\nC-1,Acme,hosted-direct,2026-01-15,-5\n"
        import_sheets(folder, {"accounts": accounts})

        assert LedgerEntry.objects.get().on == date(2026, 11, 20)

    @pytest.mark.parametrize("cell", ["0", "0.00", ""])
    def test_nothing_owed_is_no_entry(self, db, folder, cell):
        import_sheets(
            folder,
            {"accounts": f"number,name,terms,signed_up_on,opening_balance\nC-1,Acme,hosted-direct,2026-01-15,{cell}\n"},
        )

        assert not LedgerEntry.objects.exists()

    def test_a_blank_cell_leaves_what_is_posted(self, imported, folder):
        import_sheets(folder, WHOLE_BOOK | {"accounts": changed(ACCOUNTS, ",120.50", ",")})

        assert BillingProfile.objects.get(account__number="C-1").opening_balance == Decimal("120.50")
        assert LedgerEntry.objects.count() == 1


class TestWhenToBill:
    """Each account's first look is no later than what is due first."""

    @pytest.mark.parametrize(
        ("number", "look_on"),
        [
            pytest.param("C-1", date(2026, 12, 1), id="arrears, from November on"),
            pytest.param("P-1", date(2026, 12, 1), id="a partner, for its client"),
            pytest.param("S-1", date(2026, 10, 31), id="per seat, on the day of the purchase"),
        ],
    )
    def test_is_set_by_what_the_account_holds(self, imported, number, look_on):
        profile = BillingProfile.objects.get(account__number=number)

        assert (profile.next_billing_on, profile.billed_until_on, profile.revision) == (look_on, None, 1)

    def test_an_account_that_holds_nothing_is_not_looked_at(self, db, folder):
        import_sheets(folder, {"accounts": CUSTOMER})

        assert BillingProfile.objects.get().next_billing_on is None

    def test_what_is_added_later_has_it_looked_at(self, db, folder):
        import_sheets(folder, {"accounts": CUSTOMER, "products": PRODUCTS})
        import_sheets(folder, {"subscriptions": "\n".join(SUBSCRIPTIONS.splitlines()[:2])})

        assert BillingProfile.objects.get().next_billing_on == date(2026, 2, 1)

    @pytest.mark.parametrize(
        ("before", "after", "day"),
        [
            pytest.param(
                "mail,25,,2026-01-15,", "mail,26,,2026-01-15,", date(2026, 11, 1), id="quantity, all our time"
            ),
            pytest.param("mail,25,,2026-01-15,", "mail,25,,2026-01-15,2026-11-20", date(2026, 11, 20), id="end"),
            pytest.param("acme.example,mail", "acme.test,mail", date(2026, 12, 1), id="label only"),
        ],
    )
    def test_a_change_reopens_what_was_billed_from_its_day(self, imported, folder, before, after, day):
        BillingProfile.objects.update(billed_until_on=date(2026, 12, 1), next_billing_on=date(2027, 1, 1))
        import_sheets(folder, {"subscriptions": changed(SUBSCRIPTIONS, before, after)})

        profile = BillingProfile.objects.get(account__number="C-1")
        assert profile.billed_until_on == day
        assert profile.next_billing_on == date(2027, 1, 1)
        assert profile.revision == (1 if day == date(2026, 12, 1) else 2)
