"""What staff may do about holds, suspensions and notices, and the day's sweeps: each an operation."""

from typing import Any

from django import forms

from accounts.refusals import BadValue
from invoicing.collections.models import Hold, PlatformNotice, Suspension
from invoicing.collections.operations import (
    HoldRefused,
    NoticeRefused,
    SuspensionRefused,
    add_endpoint,
    change_endpoint,
    hand_off,
    lift_hold,
    place_hold,
    remind,
    renew_secret,
    restore_account,
    retry_notice,
    suspend,
    suspend_account,
    told_by_hand,
)
from invoicing.collections.sweeping import Swept
from invoicing.invoices.models import Invoice
from invoicing.pages.acts import Act, ActForm, Asked, DayInput, Facts, ShownOnce, WhyForm
from invoicing.payments.queries import owing_of
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

REFUSALS = (HoldRefused, NoticeRefused, SuspensionRefused)
PLACE_HOLD, SUSPEND, APPROVE = "invoicing.place_hold", "invoicing.suspend_account", "invoicing.approve_placement"


def today_for(asked: Asked, account_id: int) -> Any:
    profile = BillingProfile.objects.select_related("seller").filter(account_id=account_id).first()
    if profile is None:
        raise BadValue("", "This account is not billed itself. Take the partner that is billed for it.")
    return today_of(profile.seller, now=asked.now)


class HoldForm(ActForm):
    kind = forms.ChoiceField(label="What it is", choices=Hold.Kind.choices)
    invoice = forms.ChoiceField(label="Of which invoice", required=False, help_text="Without one: of all the account.")
    until_on = forms.DateField(
        label="Last day it holds", required=False, widget=DayInput(),
        help_text="A promise to pay and an exemption need one. Without it, it holds until it is lifted.",
    )  # fmt: skip
    why = forms.CharField(label="Why", max_length=300, help_text="Colleagues read it.")

    def prepare(self) -> None:
        owing = owing_of(self.row.pk)
        self.choose("invoice", [("", "The whole account"), *((one.invoice_id, one.number) for one in owing)])


def _hold(asked: Asked) -> str:
    values = dict(asked.values)
    invoice = Invoice.objects.get(pk=values["invoice"]) if values["invoice"] else None
    hold = place_hold(
        account=asked.row, kind=values["kind"], why=values["why"], until_on=values["until_on"], invoice=invoice,
        actor=asked.actor, now=asked.now, today=today_for(asked, asked.row.pk),
    )  # fmt: skip
    until = f" until {hold.until_on:%-d %B %Y}" if hold.until_on else " until it is lifted"
    return f"{hold.get_kind_display()}{until}: nobody is reminded, suspended or handed over for it."


def _lift(asked: Asked) -> str:
    lift_hold(hold=asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return "The hold is lifted. What is due is asked for again from the next sweep on."


HOLD_ACTS = (
    Act(
        "lift", "Lift…", PLACE_HOLD, _lift, REFUSALS, "Reminders, suspension and the agency go on again.", WhyForm,
        "Lift the hold", offered=lambda hold: hold.lifted_at is None,
    ),
)  # fmt: skip
HOLD_ACCOUNT_ACTS = (
    Act(
        "place", "Hold, promise or exemption…", PLACE_HOLD, _hold, REFUSALS,
        "Keeps reminders, suspension and the agency from an invoice or from all of the account.", HoldForm,
        "Place it", offered=lambda account: account.parent_id is None,
    ),
)  # fmt: skip


class CustomerReadsForm(WhyForm):
    why = forms.CharField(label="Why", max_length=300, help_text="The customer reads it.")


def _suspend(asked: Asked) -> str:
    suspend_account(account=asked.row, why=asked.values["why"], actor=asked.actor, now=asked.now)
    return "The account is suspended. The platform is told, and the customer is written to."


def _restore(asked: Asked) -> str:
    restore_account(suspension=asked.row, why=asked.values["why"], actor=asked.actor, now=asked.now)
    return "The suspension is lifted. The platform is told, unless another one is in force."


SUSPENSION_ACTS = (
    Act(
        "restore", "Lift…", SUSPEND, _restore, REFUSALS,
        "Where an invoice is still overdue, the next sweep warns anew: a promise to pay keeps it from that.",
        CustomerReadsForm, "Lift the suspension",
        offered=lambda suspension: suspension.state != Suspension.State.LIFTED,
    ),
)  # fmt: skip
SUSPENSION_ACCOUNT_ACTS = (
    Act(
        "suspend", "Suspend…", SUSPEND, _suspend, REFUSALS,
        "Service is withheld from now on, until somebody lifts it: no payment does (SUSP-1).", CustomerReadsForm,
        "Suspend the account", danger=True, offered=lambda account: account.parent_id is None,
    ),
)  # fmt: skip


class SweepForm(ActForm):
    seller = forms.ModelChoiceField(Seller.objects.order_by("name", "pk"), empty_label=None)
    on = forms.DateField(label="For which day", widget=DayInput(), help_text="Today makes up for what was missed.")

    def prepare(self) -> None:
        seller = Seller.objects.order_by("-is_default", "pk").first()
        if seller:
            self.initial.update({"seller": seller, "on": today_of(seller, now=self.now)})


def _only_today_or_before(asked: Asked) -> None:
    """A day that has not come may be looked at; nobody is dunned, suspended or handed over before it."""
    today = today_of(asked.values["seller"], now=asked.now)
    if asked.values["on"] > today:
        raise BadValue(
            "on", f"That day has not come. Take today, {today:%-d %B %Y} where the seller is, or look without doing it."
        )


def _in_words(swept: Swept) -> Facts:
    shown = [(what.capitalize(), str(count)) for what, count in sorted(swept.done.items()) if count]
    shown += [("Not possible", sentence) for sentence in swept.failed[:20]]
    return shown or [("Nothing", "is due on that day.")]


def _remind(asked: Asked, *, dry_run: bool) -> Swept:
    return remind(on=asked.values["on"], now=asked.now, seller=asked.values["seller"], dry_run=dry_run)


def _sweep(asked: Asked, *, dry_run: bool) -> Swept:
    return suspend(
        on=asked.values["on"], now=asked.now, actor=asked.actor, seller=asked.values["seller"], dry_run=dry_run
    )


def _hand_off(asked: Asked, *, dry_run: bool) -> Swept:
    return hand_off(
        on=asked.values["on"], now=asked.now, actor=asked.actor, seller=asked.values["seller"], dry_run=dry_run
    )


def _act_of(name: str, label: str, permission: str, sweep: Any, explanation: str, button: str) -> Act:
    def perform(asked: Asked) -> str:
        _only_today_or_before(asked)
        return f"Done: {sweep(asked, dry_run=False)}."

    return Act(
        name, label, permission, perform, REFUSALS, explanation, SweepForm, button,
        preview=lambda asked: _in_words(sweep(asked, dry_run=True)),
    )  # fmt: skip


REMIND = _act_of(
    "remind", "Remind for a day…", SUSPEND, _remind,
    "What the terms' days call for, each once. Left alone is what is disputed, held, promised, exempt, being paid or "
    "with the agency.", "Write the reminders",
)  # fmt: skip
SUSPEND_DUE = _act_of(
    "sweep", "Warn and suspend for a day…", SUSPEND, _sweep,
    "Warns, suspends and restores what is due on a day (SUSP-1, PRE-4). Safe to run twice.", "Warn and suspend",
)  # fmt: skip
HAND_OFF = _act_of(
    "hand-off", "Propose and hand over for a day…", APPROVE, _hand_off,
    "COLL-1: follows up what is with the agency, proposes what is ripe, hands over what the terms hand over by "
    "themselves, and writes the files.", "Propose and hand over",
)  # fmt: skip


def _retry(asked: Asked) -> str:
    retry_notice(notice=asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return "The platform will be told as soon as a worker gets to it."


def _by_hand(asked: Asked) -> str:
    told_by_hand(notice=asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return "It is settled: the platform is not told of it any more."


NOTICE_ACTS = (
    Act(
        "retry", "Tell again…", "invoicing.retry_notice", _retry, REFUSALS, "It is told with a new signature.", WhyForm,
        "Tell the platform", offered=lambda notice: notice.state == PlatformNotice.State.PARKED,
    ),
    Act(
        "by-hand", "Done by hand…", "invoicing.retry_notice", _by_hand, REFUSALS,
        "Somebody has done on the platform what it says, or it holds no more.", WhyForm, "It is done",
        offered=lambda notice: notice.state != PlatformNotice.State.TOLD,
    ),
)  # fmt: skip


class EndpointForm(ActForm):
    name = forms.CharField(max_length=100)
    url = forms.CharField(label="Address", max_length=200, help_text="https, and no private address.")


class AddressForm(ActForm):
    url = forms.CharField(label="Address", max_length=200, help_text="https, and no private address.")
    is_on = forms.BooleanField(label="It is told", required=False, help_text="Off, what waits is told when it is on.")

    def prepare(self) -> None:
        self.initial.update({"url": self.row.url, "is_on": self.row.is_on})


def _add(asked: Asked) -> ShownOnce:
    endpoint = add_endpoint(actor=asked.actor, now=asked.now, **asked.values)
    return ShownOnce(f"The platform is told at {endpoint.url}.", "Calls are signed with", endpoint.secret)


def _change(asked: Asked) -> str:
    endpoint = change_endpoint(endpoint=asked.row, actor=asked.actor, now=asked.now, **asked.values)
    return f"{endpoint} is {'told' if endpoint.is_on else 'not told'} at {endpoint.url}."


def _renew(asked: Asked) -> ShownOnce:
    endpoint = renew_secret(endpoint=asked.row, actor=asked.actor, now=asked.now)
    return ShownOnce(f"{endpoint} has a new secret.", "Calls are signed from now on with", endpoint.secret)


ENDPOINT_LIST_ACTS = (
    Act(
        "new", "Add an endpoint…", "invoicing.add_platformendpoint", _add, REFUSALS,
        "Where the platform is told to suspend, restore or start a service. Each call is signed.", EndpointForm,
        "Add the endpoint",
    ),
)  # fmt: skip
ENDPOINT_ACTS = (
    Act(
        "edit", "Change…", "invoicing.change_platformendpoint", _change, REFUSALS, "", AddressForm, "Save",
    ),
    Act(
        "renew", "Renew the secret…", "invoicing.change_platformendpoint", _renew, REFUSALS,
        "Calls signed with the old one are no longer made; give the platform the new one first thing.",
        button="Renew the secret", danger=True,
    ),
)  # fmt: skip
