"""The forms on which staff record what somebody asked for: who asked, how, and what for."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.actors import Channel, Role
from accounts.models import Account, Contact
from invoicing.catalog.models import Plan, Product
from invoicing.subscriptions.models import OneOffCharge

SOMEBODY_ELSE = "other"
# The Primary Contact's role moves by a request of its own.
ROLES_TO_GIVE = [(role.value, role.value.replace("_", " ").title()) for role in Role if role != Role.PRIMARY]


class AskedForm(forms.Form):
    """Who asked, and through which door; every request begins with it."""

    asked_by = forms.ChoiceField(label="Who asked?")
    sender = forms.CharField(
        label="If somebody else: the address or number they asked from", required=False, max_length=200
    )
    channel = forms.ChoiceField(
        label="How did it reach us?",
        choices=[(Channel.EMAIL.value, "By e-mail"), (Channel.PHONE.value, "By phone")],
        widget=forms.RadioSelect,
        initial=Channel.EMAIL.value,
    )
    on_behalf_of = forms.CharField(
        label="Does the request name another person in whose name it is made?",
        required=False,
        max_length=200,
        help_text="Write the name as the request gives it; leave empty if it does not (AUTH-3).",
    )
    why = forms.CharField(
        label="Note for the record",
        required=False,
        max_length=500,
        help_text="Such as “mail of 3 November, confirmed by phone”.",
    )

    def __init__(self, *args: Any, account: Account, contact: Contact | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        self.contact = contact
        self.people = {str(one.pk): one for one in account.contacts.prefetch_related("roles").order_by("name", "pk")}
        self.fields["asked_by"].choices = [  # type: ignore[attr-defined]
            *((key, _with_roles(one)) for key, one in self.people.items()),
            (SOMEBODY_ELSE, "Somebody who is not a contact of this account"),
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("asked_by") == SOMEBODY_ELSE and not values.get("sender"):
            self.add_error("sender", "Write down where the request came from.")
        return values

    @property
    def asker(self) -> Contact | None:
        return self.people.get(self.cleaned_data["asked_by"])

    def what_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in AskedForm.base_fields]

    def who_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name in AskedForm.base_fields]


def _with_roles(contact: Contact) -> str:
    roles = ", ".join(sorted(role.get_role_display() for role in contact.roles.all()))
    return f"{contact} ({roles or 'no role'})"


class AccountDataForm(AskedForm):
    name = forms.CharField(label="Legal name", max_length=200)
    address_line = forms.CharField(label="Address", max_length=200, required=False)
    city = forms.CharField(max_length=100, required=False)
    county = forms.CharField(max_length=100, required=False)
    state = forms.CharField(max_length=50, required=False, help_text="Two letters in the United States, such as CO.")
    postal_code = forms.CharField(max_length=20, required=False)
    country = forms.CharField(max_length=2, help_text="Two letters, such as US.")
    phone = forms.CharField(max_length=40, required=False)


class BillingInformationForm(AskedForm):
    invoice_emails = forms.CharField(
        label="Invoices are sent to",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One address a line. A delivery address grants nothing (AUTH-4).",
    )
    purchase_order = forms.CharField(label="Purchase-order number", max_length=60, required=False)


class ContactForm(AskedForm):
    name = forms.CharField(label="Contact's name", max_length=200)
    email = forms.EmailField(label="E-mail address")
    phone = forms.CharField(max_length=40, required=False)


class NewContactForm(ContactForm):
    roles = forms.MultipleChoiceField(choices=ROLES_TO_GIVE, required=False, widget=forms.CheckboxSelectMultiple)


class RolesForm(AskedForm):
    roles = forms.MultipleChoiceField(
        choices=[(role.value, role.value.replace("_", " ").title()) for role in Role],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The Primary Contact's role moves by “Make Primary Contact” (AUTH-1).",
    )


class BillingDayForm(AskedForm):
    day = forms.IntegerField(
        label="New billing day",
        min_value=1,
        max_value=31,
        help_text="BILL-5: takes effect at the next billing date. Days 29 to 31 fall on a short month's last day.",
    )


class NewChargeForm(AskedForm):
    plan = forms.ModelChoiceField(
        Plan.objects.filter(product__charge=Product.Charge.ONE_OFF).select_related("product").order_by("name"),
        label="What for",
        empty_label="Choose a one-off plan",
    )
    description = forms.CharField(max_length=300, required=False, help_text="As it will stand on the invoice.")
    quantity = forms.DecimalField(max_digits=18, decimal_places=6, min_value=0, initial=1)
    unit_price = forms.DecimalField(
        label="Agreed price of a unit",
        max_digits=18,
        decimal_places=6,
        min_value=0,
        required=False,
        help_text="Leave empty for the plan's price.",
    )
    on = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}))


class UnbilledChargeForm(AskedForm):
    charge = forms.ModelChoiceField(
        OneOffCharge.objects.none(), label="Which charge", empty_label="Choose a charge that is on no invoice"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["charge"].queryset = self.charges()  # type: ignore[attr-defined]

    def charges(self) -> QuerySet[OneOffCharge]:
        return OneOffCharge.objects.filter(account=self.account, billed_on=None).order_by("on", "pk")


class WaitingChargeForm(UnbilledChargeForm):
    def charges(self) -> QuerySet[OneOffCharge]:
        return super().charges().filter(authorized_at=None)
