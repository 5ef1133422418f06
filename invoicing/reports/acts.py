"""What staff may ask for from the page of an account: its statement."""

from dateutil.relativedelta import relativedelta
from django import forms

from accounts.decisions import Refused
from accounts.refusals import BadValue
from invoicing.pages.acts import Act, ActForm, Asked, DayInput
from invoicing.reports.operations import request_statement
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile


class StatementForm(ActForm):
    from_on = forms.DateField(label="From", widget=DayInput())
    to_on = forms.DateField(label="To, included", widget=DayInput(), help_text="Today at the latest.")

    def prepare(self) -> None:
        profile = BillingProfile.objects.select_related("seller").filter(account=self.row).first()
        today = today_of(profile.seller, now=self.now) if profile else self.now.date()
        self.initial.update({"from_on": today.replace(day=1) - relativedelta(months=3), "to_on": today})


def _statement(asked: Asked) -> str:
    values = asked.values
    letter = request_statement(asked.row, values["from_on"], values["to_on"], actor=asked.actor, now=asked.now)
    return f"The statement {letter.key} is written, and mailed to the account's invoice addresses."


STATEMENT_ACTS = (
    Act(
        "statement", "Send a statement…", "invoicing.resend_invoice", _statement, (BadValue, Refused),
        "Invoices, payments and what is open over some time, from the ledger; as PDF by mail.", StatementForm,
        "Send the statement", offered=lambda account: account.parent_id is None,
    ),
)  # fmt: skip
