"""The sheets of a book and their columns, in the order in which they are read."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.db.models import Model

from accounts.actors import Role
from accounts.models import Account, Contact
from invoicing.book import cells
from invoicing.book.cells import Reader
from invoicing.catalog.models import Plan, Product, Vendor
from invoicing.subscriptions.models import BillingProfile, Inactivity, OneOffCharge, Subscription
from invoicing.tax.models import Exemption, TaxRate


class _Unsaid:
    """A blank cell of a column with a default, or a column that is not there: nothing is said of the value."""

    def __repr__(self) -> str:
        return "UNSAID"


UNSAID: Final = _Unsaid()


class Column(NamedTuple):
    """`blank` is what a blank cell says; `default` is what a new row gets where nothing is said."""

    name: str
    read: Reader
    needed: bool = False
    blank: Any = UNSAID
    default: Any = UNSAID


class Sheet(NamedTuple):
    name: str
    columns: tuple[Column, ...]

    @property
    def defaults(self) -> dict[str, Any]:
        return {column.name: column.default for column in self.columns}


def _needed(name: str, read: Reader) -> Column:
    """Neither the column nor a cell of it may be missing."""
    return Column(name, read, needed=True)


def _optional(name: str, read: Reader, empty: Any = "") -> Column:
    """A blank cell says that there is none."""
    return Column(name, read, blank=empty, default=empty)


def _defaulted(name: str, read: Reader, default: Any) -> Column:
    """A blank cell leaves what is stored; a new row gets the default."""
    return Column(name, read, default=default)


def _longest(model: type[Model], field: str) -> Reader:
    return cells.text(model._meta.get_field(field).max_length)  # type: ignore[union-attr,arg-type]


def words_of(values: Any) -> Mapping[str, str]:
    """The words of a book for stored values: `one-off` for ONE_OFF."""
    return {str(value).lower().replace("_", "-"): str(value) for value in values}


ACCOUNT_KINDS = words_of(Account.Kind.values)
CHARGES = words_of(Product.Charge.values)
ROLES = words_of(Role)
PAYMENT_METHODS = words_of(BillingProfile.PaymentMethod.values)
INACTIVITY_KINDS = words_of(Inactivity.Kind.values)

_account = _longest(Account, "number")
_product = cells.slug(60)
_reference = _longest(Subscription, "reference")
_rate = cells.number()
_fee = cells.number()

SHEETS = (
    Sheet(
        "products",
        (
            _needed("code", _product),
            _needed("name", _longest(Plan, "name")),
            _defaulted("charge", cells.choice(CHARGES), "RECURRING"),
            _defaulted("currency", cells.currency, UNSAID),
            _defaulted("unit_price", _rate, UNSAID),
            _defaulted("setup_fee", _fee, 0),
            _defaulted("change_fee", _fee, 0),
            _optional("inactive_price", _rate, None),
            _defaulted("deposit", _fee, 0),
            _optional("tax_category", _longest(Product, "tax_category")),
            _defaulted("licensed", cells.yes_no, False),
            _optional("vendor", _longest(Vendor, "name")),
        ),
    ),
    Sheet(
        "prices",
        (
            _needed("product", _product),
            _defaulted("currency", cells.currency, UNSAID),
            _needed("unit_price", _rate),
            _needed("valid_from_on", cells.day),
        ),
    ),
    Sheet(
        "accounts",
        (
            _needed("number", _account),
            _needed("name", _longest(Account, "name")),
            _defaulted("kind", cells.choice(ACCOUNT_KINDS), "CUSTOMER"),
            _defaulted("parent", _account, ""),
            _defaulted("terms", cells.text(40), UNSAID),
            _defaulted("currency", cells.currency, UNSAID),
            _optional("address_line", _longest(Account, "address_line")),
            _optional("city", _longest(Account, "city")),
            _optional("county", _longest(Account, "county")),
            _optional("state", cells.state),
            _optional("postal_code", _longest(Account, "postal_code")),
            _defaulted("country", cells.country, "US"),
            _optional("phone", _longest(Account, "phone")),
            _defaulted("signed_up_on", cells.day, UNSAID),
            _defaulted("billing_day", cells.day_of_month, UNSAID),
            _optional("invoice_emails", cells.emails, []),
            _optional("payment_method", cells.choice(PAYMENT_METHODS)),
            _optional("bill_from_on", cells.day, None),
            _defaulted("opening_balance", cells.number(places=3, lowest=None), 0),
        ),
    ),
    Sheet(
        "contacts",
        (
            _needed("account", _account),
            _needed("name", _longest(Contact, "name")),
            _needed("email", cells.email),
            _optional("phone", _longest(Contact, "phone")),
            _optional("roles", cells.choices(ROLES), ()),
        ),
    ),
    Sheet(
        "subscriptions",
        (
            _defaulted("reference", _reference, UNSAID),
            _needed("account", _account),
            _optional("label", _longest(Subscription, "label")),
            _needed("product", _product),
            _defaulted("quantity", _rate, 1),
            _optional("unit_price", _rate, None),
            _needed("started_on", cells.day),
            _optional("ended_on", cells.day, None),
        ),
    ),
    Sheet(
        "quantities",
        (_needed("subscription", _reference), _needed("quantity", _rate), _needed("from_on", cells.day)),
    ),
    Sheet(
        "inactivity",
        (
            _needed("subscription", _reference),
            _needed("period_start_on", cells.day),
            _defaulted("kind", cells.choice(INACTIVITY_KINDS), "INACTIVE"),
        ),
    ),
    Sheet(
        "one_off_charges",
        (
            _needed("account", _account),
            _needed("product", _product),
            _optional("description", _longest(OneOffCharge, "description")),
            _defaulted("quantity", _rate, 1),
            _optional("unit_price", _rate, None),
            _needed("on", cells.day),
        ),
    ),
    Sheet(
        "tax_rates",
        (
            _needed("country", cells.country),
            _optional("state", cells.state),
            _optional("county", _longest(TaxRate, "county")),
            _optional("city", _longest(TaxRate, "city")),
            _optional("postal_code", _longest(TaxRate, "postal_code")),
            _optional("tax_category", _longest(TaxRate, "tax_category")),
            _needed("name", _longest(TaxRate, "name")),
            _needed("rate_percent", cells.number(whole_digits=3, highest=100)),
            _needed("valid_from_on", cells.day),
            _optional("valid_to_on", cells.day, None),
        ),
    ),
    Sheet(
        "exemptions",
        (
            _needed("account", _account),
            _needed("country", cells.country),
            _optional("state", cells.state),
            _needed("certificate", _longest(Exemption, "certificate")),
            _needed("valid_from_on", cells.day),
            _optional("valid_to_on", cells.day, None),
        ),
    ),
)
SHEET_NAMES = tuple(sheet.name for sheet in SHEETS)
