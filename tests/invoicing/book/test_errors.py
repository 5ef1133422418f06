"""Every error names file, row and column, says what is wrong, and what would be right."""

from datetime import date

import pytest

from accounts.models import Account, AuditEntry
from invoicing.book.operations import BookRefused, plan_import, read_book
from invoicing.catalog.models import Plan
from invoicing.subscriptions.models import BillingDayChange, BillingProfile, OneOffCharge, PlanChange, Subscription
from tests.invoicing.book.books import (
    ACCOUNTS,
    ONE_OFF_CHARGES,
    PRODUCTS,
    SUBSCRIPTIONS,
    WHOLE_BOOK,
    changed,
    import_sheets,
    row_hashes,
    write_folder,
)

PRESETS = "one of hosted-direct, hosted-partner, per-seat, prepaid."
RATE = "a number, at least 0, with a point and at most 6 places."


def errors_in(folder, sheets):
    return plan_import(read_book(write_folder(folder, sheets))).errors


def row_of(sheet, cells):
    """A sheet of one row: the header in lower case, the cells as given."""
    return {sheet: f"{','.join(cells)}\n{','.join(cells.values())}\n"}


def account(**cells):
    given = {"number": "C-9", "name": "Acme", "terms": "hosted-direct", "signed_up_on": "2026-01-15"}
    return row_of("accounts", given | cells)


def contact(**cells):
    return row_of("contacts", {"account": "C-1", "name": "Ann", "email": "ann@acme.example", **cells})


def product(**cells):
    return row_of("products", {"code": "new", "name": "New", "unit_price": "1", **cells})


def subscription(**cells):
    given = {"reference": "N-1", "account": "C-1", "product": "mail", "started_on": "2026-01-15"}
    return row_of("subscriptions", given | cells)


def quantity(**cells):
    return row_of("quantities", {"subscription": "M-1", "quantity": "5", "from_on": "2026-05-01", **cells})


def inactivity(**cells):
    return row_of("inactivity", {"subscription": "S-1/crm", "period_start_on": "2026-11-30", **cells})


def one_off(**cells):
    return row_of("one_off_charges", {"account": "C-1", "product": "work", "on": "2026-11-01", **cells})


def tax_rate(**cells):
    given = {"country": "US", "state": "CO", "tax_category": "saas", "name": "Colorado state sales tax"}
    return row_of("tax_rates", given | {"rate_percent": "3", "valid_from_on": "2030-01-01"} | cells)


def exemption(**cells):
    given = {"account": "C-1", "country": "US", "state": "NY", "certificate": "1", "valid_from_on": "2026-01-01"}
    return row_of("exemptions", given | cells)


WRONG_CELLS = [
    # what a cell holds
    (account(number=""), "number", "The cell is blank.", "a value; this column needs one."),
    (account(number="9" * 41), "number", f"“{'9' * 41}” has 41 characters.", "at most 40."),
    (account(name="Ac\u0007me"), "name", r"“Ac\x07me” holds a character that cannot be printed.", "text without it."),
    (
        account(kind="reseller"),
        "kind",
        "“reseller” is not one of the values that this column takes.",
        "customer, partner, client.",
    ),
    (account(terms="hosted"), "terms", "There are no terms called “hosted”.", PRESETS),
    (account(terms=""), "terms", "The cell is blank, and the account is billed.", PRESETS),
    (
        account(currency="DM"),
        "currency",
        "“DM” is not a currency we can bill in.",
        "three letters of ISO 4217, such as USD.",
    ),
    (account(country="USA"), "country", "“USA” is not a country.", "two letters of ISO 3166, such as US."),
    (account(state="Colorado"), "state", "“Colorado” is not a state code.", "two letters, such as CO."),
    (
        account(signed_up_on="15/01/2026"),
        "signed_up_on",
        "“15/01/2026” is not a day.",
        "year, month and day as YYYY-MM-DD, such as 2026-03-01.",
    ),
    (
        account(signed_up_on="2026-02-30"),
        "signed_up_on",
        "“2026-02-30” is not a day of the calendar.",
        "a real day as YYYY-MM-DD.",
    ),
    (
        account(signed_up_on="0226-02-03"),
        "signed_up_on",
        "“0226-02-03” is too far away.",
        "a day between 1900-01-01 and 2199-12-31.",
    ),
    (
        account(terms="per-seat", billing_day="32"),
        "billing_day",
        "“32” is not a day of a month.",
        "a whole number from 1 to 31.",
    ),
    (
        account(invoice_emails="ap@acme.example;nobody"),
        "invoice_emails",
        "“nobody” is not an e-mail address.",
        "addresses with ; between, such as ann@example.com;bob@example.com.",
    ),
    (
        account(payment_method="cash"),
        "payment_method",
        "“cash” is not one of the values that this column takes.",
        "card, ach, check, wire, balance.",
    ),
    (
        account(opening_balance="1.2345"),
        "opening_balance",
        "“1.2345” has 4 decimal places.",
        "a number, with a point and at most 3 places.",
    ),
    (
        account(opening_balance="1.005"),
        "opening_balance",
        "1.005 has more decimal places than USD has.",
        "at most 2 decimal places.",
    ),
    (
        account(currency="JPY", opening_balance="10.5"),
        "opening_balance",
        "10.5 has more decimal places than JPY has.",
        "at most 0 decimal places.",
    ),
    (
        contact(email="ann at acme"),
        "email",
        "“ann at acme” is not an e-mail address.",
        "one address such as ann@example.com.",
    ),
    (
        contact(roles="primary;boss"),
        "roles",
        "“boss” is not one of the values that this column takes.",
        "primary, primary-billing, billing, technical, administrator.",
    ),
    (
        product(code="a b"),
        "code",
        "“a b” is not a code.",
        "letters a to z, digits, hyphens and underscores, such as mail-basic.",
    ),
    (
        product(charge="monthly"),
        "charge",
        "“monthly” is not one of the values that this column takes.",
        "recurring, one-off, per-use.",
    ),
    (product(unit_price="-1"), "unit_price", "“-1” is out of range.", RATE),
    (product(unit_price="0.1234567"), "unit_price", "“0.1234567” has 7 decimal places.", RATE),
    (
        product(unit_price="$5"),
        "unit_price",
        "“$5” is not a number.",
        f"{RATE} No thousands separators, no currency sign.",
    ),
    (product(unit_price="NaN"), "unit_price", "“NaN” is not a number.", RATE),
    (
        product(unit_price="1000000000000"),
        "unit_price",
        "“1000000000000” is too large.",
        "a number below 1 followed by 12 zeros.",
    ),
    (
        product(unit_price=""),
        "unit_price",
        "new has no price in USD.",
        "an amount in USD, or a row for new in the sheet prices.",
    ),
    (product(licensed="maybe"), "licensed", "“maybe” is not one of the values that this column takes.", "yes, no."),
    (
        tax_rate(rate_percent="101"),
        "rate_percent",
        "“101” is out of range.",
        "a number, at least 0, at most 100, with a point and at most 6 places.",
    ),
    (
        inactivity(kind="idle"),
        "kind",
        "“idle” is not one of the values that this column takes.",
        "inactive, deemed.",
    ),
    # what rows refer to
    (
        account(kind="client", terms="", parent="P-9"),
        "parent",
        "The account “P-9” is not there.",
        "the number of an account of kind partner.",
    ),
    (
        account(kind="client", terms="", parent="C-1"),
        "parent",
        "The account “C-1” is no partner.",
        "the number of an account of kind partner.",
    ),
    (
        account(kind="client", terms=""),
        "parent",
        "The cell is blank, and a client has a partner.",
        "the partner's account number.",
    ),
    (account(parent="P-1"), "parent", "A customer has no partner.", "a blank cell; or client in the column kind."),
    (
        contact(account="C-9"),
        "account",
        "There is no account “C-9”.",
        "the number of an account of this book, or of one that is stored.",
    ),
    (
        subscription(product="male"),
        "product",
        "There is no product “male”.",
        "the code of a product of this book, or of one that is stored.",
    ),
    (
        quantity(subscription="M-2"),
        "subscription",
        "There is no subscription “M-2”.",
        "the reference of a subscription of this book, or of one that is stored.",
    ),
    (
        subscription(product="work"),
        "product",
        "work is not a recurring product.",
        "a recurring one; the sheet one_off_charges takes the others.",
    ),
    # a client is billed as its partner is
    (
        account(number="K-1", kind="client", terms="hosted-direct"),
        "terms",
        "A client is billed through its partner, and has none of its own.",
        "a blank cell or hosted-partner.",
    ),
    (
        account(number="K-1", kind="client", terms="", bill_from_on="2026-11-01"),
        "bill_from_on",
        "A client is billed through its partner, and has none of its own.",
        "a blank cell or 2026-12-01.",
    ),
    (
        account(number="K-1", kind="client", terms="", opening_balance="5"),
        "opening_balance",
        "A client owes nothing itself.",
        "a blank cell or 0; the partner's row holds what is owed.",
    ),
    (
        account(number="C-1", kind="client", terms="", parent="P-1"),
        "kind",
        "The account is a customer, and that cannot become a client.",
        "customer; or another account number.",
    ),
    (account(number="P-1", kind="customer"), "kind", "The account is the partner of stored clients.", "partner."),
    # days and periods
    (account(billing_day="5"), "billing_day", "Accounts under hosted-direct are billed on the 1st.", "a blank cell."),
    (
        account(signed_up_on=""),
        "signed_up_on",
        "The cell is blank, and the account has no subscription.",
        "the day on which the account signed up, or a subscription that starts on it.",
    ),
    (
        subscription(ended_on="2026-01-14"),
        "ended_on",
        "It ends before it starts on 2026-01-15.",
        "the first day on which it is no longer held, or a blank cell.",
    ),
    (
        quantity(from_on="2026-01-15"),
        "from_on",
        "The subscription starts on 2026-01-15.",
        "a later day; the sheet subscriptions holds the quantity from the start.",
    ),
    (
        quantity(subscription="K-1/mail", from_on="2026-12-15"),
        "from_on",
        "The subscription ends on 2026-12-15.",
        "a day on which it is held.",
    ),
    (
        inactivity(period_start_on="2026-12-02"),
        "period_start_on",
        "2026-12-02 is not the first day of a billing period of account S-1.",
        "2026-11-30.",
    ),
    (
        inactivity(subscription="K-1/mail", period_start_on="2026-11-20"),
        "period_start_on",
        "2026-11-20 is not the first day of a billing period of account K-1.",
        "2026-12-01.",
    ),
    (
        inactivity(subscription="K-1/mail", period_start_on="2027-01-01"),
        "period_start_on",
        "The subscription is not held in the period from 2027-01-01.",
        "a period with days from 2026-02-01 until 2026-12-15.",
    ),
    (
        tax_rate(valid_to_on="2030-01-01"),
        "valid_to_on",
        "It ends before it has begun.",
        "a day after 2030-01-01, the first on which it no longer holds; or a blank cell.",
    ),
    (
        tax_rate(),
        "valid_from_on",
        "The period overlaps the stored one from 2027-01-01, which has no end.",
        "a day after it ends; or a row that ends it before.",
    ),
    (
        tax_rate(valid_from_on="2026-01-01", valid_to_on="2026-06-01"),
        "valid_from_on",
        "The period overlaps the stored one from 2020-01-01, which ends on 2027-01-01.",
        "a day after it ends; or a row that ends it before.",
    ),
    (
        tax_rate(valid_from_on="2019-01-01"),
        "valid_to_on",
        "The period overlaps the one that begins on 2020-01-01.",
        "2020-01-01 or an earlier day.",
    ),
    (
        exemption(state="CO", valid_from_on="2026-06-01"),
        "valid_from_on",
        "The period overlaps the stored one from 2026-01-01, which has no end.",
        "a day after it ends; or a row that ends it before.",
    ),
    # what stands already
    (
        subscription(reference="M-1", account="S-1"),
        "account",
        "M-1 is a subscription of account C-1.",
        "C-1; or another reference.",
    ),
    (product(code="mail", charge="one-off"), "charge", "There are subscriptions to mail.", "recurring."),
]


class TestWrongCell:
    @pytest.mark.parametrize(
        ("sheets", "column", "wrong", "right"),
        [pytest.param(*case, id=f"{next(iter(case[0]))}.{case[1]}: {case[2]}"[:70]) for case in WRONG_CELLS],
    )
    def test_is_named_with_what_is_wrong_and_what_would_be_right(self, imported, folder, sheets, column, wrong, right):
        [error] = errors_in(folder, sheets)

        assert (error.file, error.row, error.column) == (f"{next(iter(sheets))}.csv", 2, column)
        assert (error.wrong, error.right) == (wrong, right)

    def test_reads_as_one_line(self, db, folder):
        [error] = errors_in(folder, account(terms="hosted"))

        assert str(error) == (
            "accounts.csv, row 2, column terms: There are no terms called “hosted”. "
            "Right would be: one of hosted-direct, hosted-partner, per-seat, prepaid."
        )

    def test_all_are_listed_at_once_in_the_order_of_the_sheets(self, imported, folder):
        sheets = account(terms="hosted", country="USA") | contact(email="x") | product(unit_price="x")

        assert [(error.file, error.column) for error in errors_in(folder, sheets)] == [
            ("products.csv", "unit_price"),
            ("accounts.csv", "country"),
            ("contacts.csv", "email"),
        ]

    def test_what_refers_to_a_wrong_row_is_not_an_error_besides(self, db, folder):
        sheets = account(country="USA") | product(unit_price="x")
        sheets |= contact(account="C-9") | subscription(account="C-9", product="new") | quantity(subscription="N-1")

        assert {error.file for error in errors_in(folder, sheets)} == {"products.csv", "accounts.csv"}

    def test_nothing_is_saved_where_one_cell_is_wrong(self, imported, folder):
        before = row_hashes()
        with pytest.raises(BookRefused) as refused:
            import_sheets(folder, account() | product() | contact(email="x"))

        assert str(refused.value) == "book has 1 errors. Nothing was saved."
        assert row_hashes() == before

    def test_a_reference_made_of_long_names_must_be_given(self, db, folder):
        number, code = "9" * 40, "p" * 60
        sheets = account(number=number) | product(code=code)
        sheets |= {"subscriptions": f"account,product,started_on\n{number},{code},2026-01-01\n"}

        [error] = errors_in(folder, sheets)
        assert (error.column, error.right) == ("reference", "a reference of at most 80 characters.")


class TestDuplicates:
    @pytest.mark.parametrize(
        ("sheet", "column"),
        [
            ("accounts", "number"),
            ("contacts", "email"),
            ("products", "code"),
            ("prices", "valid_from_on"),
            ("quantities", "from_on"),
            ("inactivity", "period_start_on"),
            ("tax_rates", "valid_from_on"),
            ("exemptions", "valid_from_on"),
        ],
    )
    def test_are_errors_of_the_later_row(self, db, folder, sheet, column):
        rows = WHOLE_BOOK[sheet].splitlines()
        doubled = "\n".join([*rows, rows[1]])

        [error] = errors_in(folder, {**WHOLE_BOOK, sheet: doubled})
        assert (error.file, error.row, error.column) == (f"{sheet}.csv", len(rows) + 1, column)
        assert error.wrong.endswith("is the same as in row 2.")

    def test_of_a_reference_are_errors_even_of_one_that_is_made_up(self, db, folder):
        doubled = SUBSCRIPTIONS + "S-1/crm,S-1,,crm,,,2026-10-31,\n"

        [error] = errors_in(folder, {**WHOLE_BOOK, "subscriptions": doubled})
        assert (error.row, error.wrong) == (6, "“S-1/crm” is the same as in row 4.")


class TestContactRoles:
    """AUTH-1: one Primary an account, at most one Primary Billing Contact."""

    @pytest.mark.parametrize(("role", "words"), [("primary", "Primary"), ("primary-billing", "Primary Billing")])
    def test_two_in_the_book_are_refused(self, db, folder, role, words):
        rows = f"account,name,email,roles\nC-9,Ann,ann@acme.example,{role}\nC-9,Bob,bob@acme.example,{role}\n"

        [error] = errors_in(folder, account() | {"contacts": rows})
        assert (error.row, error.column) == (3, "roles")
        assert error.wrong == f"AUTH-1: account C-9 has a {words} Contact, ann@acme.example."

    def test_one_beside_the_stored_one_is_refused(self, imported, folder):
        [error] = errors_in(folder, contact(name="Cy", email="cy@acme.example", roles="primary"))

        assert error.wrong == "AUTH-1: account C-1 has a Primary Contact, ann@acme.example."
        assert error.right == (
            "one of them in that role; to pass it on, give the row of ann@acme.example without it as well."
        )

    def test_the_last_primary_is_not_taken_away(self, imported, folder):
        [error] = errors_in(folder, contact(roles="billing"))

        assert error.wrong == "AUTH-1: account C-1 would be left without a Primary Contact."


class TestBilledAlready:
    """What has been billed is not changed behind its back."""

    def billed(self):
        BillingProfile.objects.update(billed_until_on=date(2026, 12, 1))

    def test_the_billing_day_is_changed_in_the_console(self, imported, folder):
        self.billed()
        [error] = errors_in(folder, {"accounts": changed(ACCOUNTS, ",31,", ",15,")})

        assert (error.row, error.column) == (5, "billing_day")
        assert error.right == "31 or a blank cell; use “change billing day” in the console."

    def test_nor_where_it_was_changed_in_the_console(self, imported, folder):
        BillingDayChange.objects.create(
            account=Account.objects.get(number="S-1"), day=10, effective_on=date(2026, 12, 31)
        )

        assert errors_in(folder, {"accounts": ACCOUNTS}) == []
        assert len(errors_in(folder, {"accounts": changed(ACCOUNTS, ",31,", ",10,")})) == 1

    def test_nor_do_terms_with_other_billing_dates_take_over(self, imported, folder):
        self.billed()
        [error] = errors_in(folder, {"accounts": changed(ACCOUNTS, "hosted-direct", "per-seat")})

        assert error.wrong == "The account has been billed under hosted-direct, whose billing dates are others."

    def test_nor_does_the_currency_change(self, imported, folder):
        [error] = errors_in(folder, {"accounts": changed(ACCOUNTS, "hosted-direct,USD", "hosted-direct,EUR")})

        assert error.wrong == "The account has been billed, or owed money, in USD."

    def test_before_that_all_of_it_may_change(self, imported, folder):
        accounts = changed(changed(ACCOUNTS, ",31,", ",15,"), "hosted-partner,USD", "prepaid,EUR")

        assert errors_in(folder, {"accounts": accounts}) == []

    def test_a_billed_one_off_charge_is_corrected_by_a_credit_note(self, imported, folder):
        OneOffCharge.objects.update(billed_on=date(2026, 12, 1))
        first, *rest = ONE_OFF_CHARGES.splitlines()

        assert errors_in(folder, {"one_off_charges": ONE_OFF_CHARGES}) == []
        [error] = errors_in(folder, {"one_off_charges": "\n".join([first, changed(rest[0], "2.5", "3"), rest[1]])})
        assert (error.row, error.column) == (2, "quantity")
        assert error.wrong == "The charge was already billed on 2026-12-01, as 2.5 at the plan's price."
        assert error.right == "2.5 at the plan's price; issue a credit note to correct it."

    def test_a_plan_that_was_changed_in_the_console_stays(self, imported, folder):
        held = Subscription.objects.get(reference="M-1")
        PlanChange.objects.create(
            subscription=held, on=date(2026, 11, 5), from_plan=Plan.objects.get(code="crm"), to_plan=held.plan
        )
        [error] = errors_in(folder, {"subscriptions": changed(SUBSCRIPTIONS, "acme.example,mail", "acme.example,crm")})

        assert error.wrong == "M-1 has changed its plan since, and is on mail."


def test_a_code_that_is_another_products_plan_is_refused(imported, folder):
    plan = Plan.objects.create(product=Plan.objects.get(code="crm").product, code="crm-lite", name="CRM light")
    [error] = errors_in(folder, {"products": PRODUCTS + "crm-lite,CRM light,recurring,USD,20,,,,,,,\n"})

    assert (error.column, error.wrong) == ("code", f"{plan.code} is a plan of crm.")


def test_an_error_leaves_no_audit_entry(db, folder):
    with pytest.raises(BookRefused):
        import_sheets(folder, account(terms="x"))

    assert not AuditEntry.objects.exists()
