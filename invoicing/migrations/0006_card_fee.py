"""FEE-1 and FEE-2: the card service fee that ships, as dated rows; and what the prepaid terms do about debts."""

from datetime import date

from django.db import migrations

EXEMPT = {
    "CO": "Colorado",
    "CT": "Connecticut",
    "FL": "Florida",
    "KS": "Kansas",
    "ME": "Maine",
    "MA": "Massachusetts",
    "TX": "Texas",
}
SINCE = date(2020, 1, 1)


def ship_rates(apps, schema_editor):
    rates = apps.get_model("invoicing", "CardFeeRate")
    rates.objects.create(
        rate_percent=1,
        clause="FEE-1",
        legal_reference="The provider's terms: a service fee of 1 % of the amount paid by card.",
        valid_from_on=SINCE,
    )
    for state, name in EXEMPT.items():
        rates.objects.create(
            state=state,
            rate_percent=0,
            clause="FEE-2",
            legal_reference=f"The provider's terms: no fee where the billing state is {name}.",
            valid_from_on=SINCE,
        )


def settle_presets(apps, schema_editor):
    # What is deducted from a balance is never overdue: nothing to remind of, nothing to hand over.
    terms = apps.get_model("invoicing", "BillingTerms")
    terms.objects.filter(code="prepaid").update(reminder_days=[], suspend_after_days=None)


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0005_money_guards")]

    operations = [
        migrations.RunPython(ship_rates, migrations.RunPython.noop),
        migrations.RunPython(settle_presets, migrations.RunPython.noop),
    ]
