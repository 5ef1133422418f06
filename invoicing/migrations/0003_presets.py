"""The four sets of billing terms that ship, and a seller to begin with. Managers edit both in the console."""

from django.db import migrations

PRESETS = [
    {
        "code": "hosted-direct",
        "name": "Hosted services, direct customer",
        "clause": "BILL-1",
        "timing": "ARREARS",
        "anchor": "CALENDAR",
        "late_start": "NEXT_INVOICE",
        "payment_due_days": 30,
    },
    {
        "code": "hosted-partner",
        "name": "Hosted services, partner",
        "clause": "BILL-2",
        "timing": "ADVANCE",
        "anchor": "CALENDAR",
        "late_start": "NEXT_INVOICE",
        "payment_due_days": 30,
    },
    {
        "code": "prepaid",
        "name": "Prepaid telephony",
        "clause": "PRE-1",
        "timing": "ADVANCE",
        "anchor": "CALENDAR",
        "late_start": "AT_ONCE",
        "settlement": "BALANCE",
        "payment_due_days": 0,
    },
    {
        "code": "per-seat",
        "name": "Per seat, on the company's billing day",
        "clause": "SEAT-3",
        "timing": "ADVANCE",
        "anchor": "ANNIVERSARY",
        "late_start": "AT_ONCE",
        "payment_due_days": 0,
        "auto_charge": True,
    },
]


def ship_presets(apps, schema_editor):
    terms = apps.get_model("invoicing", "BillingTerms")
    for preset in PRESETS:
        terms.objects.get_or_create(code=preset["code"], defaults=preset)


def ship_seller(apps, schema_editor):
    seller = apps.get_model("invoicing", "Seller").objects.create(
        name="Your company (set its details in the console)", is_default=True
    )
    series = apps.get_model("invoicing", "NumberSeries")
    series.objects.create(seller=seller, kind="INVOICE", prefix="INV-")
    series.objects.create(seller=seller, kind="CREDIT_NOTE", prefix="CN-")


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0002_guards")]

    operations = [
        migrations.RunPython(ship_presets, migrations.RunPython.noop),
        migrations.RunPython(ship_seller, migrations.RunPython.noop),
    ]
