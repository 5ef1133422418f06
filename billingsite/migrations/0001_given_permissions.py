"""The record of what the groups were given, and what those that are there were given when they were made."""

from typing import Any

from django.db import migrations, models

# The defaults of the version that kept no record: only a group that is older than this migration was given these.
SEEN = {
    "accounts": ("account", "accountevent", "auditentry", "contact", "contactevent", "contactrole", "contactroleevent",
                 "decision"),
    "invoicing": ("billingdaychange", "billingprofile", "billingterms", "billingtermsevent", "creditnote", "delivery",
                  "document", "exemption", "exemptionevent", "inactivity", "invoice", "invoiceline", "ledgerentry",
                  "letterhead", "linetax", "numberseries", "oneoffcharge", "plan", "planchange", "planevent",
                  "posting", "price", "priceevent", "product", "productevent", "quantitychange", "run", "runitem",
                  "seller", "sellerevent", "subscription", "subscriptionevent", "taxrate", "taxrateevent", "vendor",
                  "vendorevent"),
}  # fmt: skip
OF_ALL = tuple(f"{app}.view_{model}" for app, names in SEEN.items() for model in names)
OF_AGENTS = (
    "accounts.change_account", "accounts.add_contact", "accounts.change_contact", "accounts.delete_contact",
    "invoicing.resend_invoice", "invoicing.retry_parked",
)  # fmt: skip
EDITED = ("billingterms", "product", "plan", "price", "vendor", "taxrate", "seller", "numberseries")
OF_MANAGERS = (
    *OF_AGENTS,
    "invoicing.start_run", "invoicing.approve_run", "invoicing.issue_credit_note", "invoicing.import_book",
    "invoicing.change_subscription",
    *(f"invoicing.{verb}_{model}" for verb in ("add", "change") for model in EDITED),
    *(f"invoicing.delete_{model}" for model in ("product", "plan", "price", "vendor", "taxrate")),
)  # fmt: skip
GIVEN = {"Billing agent": OF_AGENTS, "Billing manager": OF_MANAGERS, "Auditor": ()}


def remember(apps: Any, schema_editor: Any) -> None:
    """What the groups that are there already were given."""
    alias = schema_editor.connection.alias
    given = apps.get_model("billingsite", "GivenPermission")
    there = apps.get_model("auth", "Group").objects.using(alias).filter(name__in=GIVEN).values_list("name", flat=True)
    given.objects.using(alias).bulk_create(
        [given(group=name, permission=one) for name in there for one in (*OF_ALL, *GIVEN[name])]
    )


class Migration(migrations.Migration):
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.CreateModel(
            name="GivenPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("group", models.CharField(max_length=150)),
                (
                    "permission",
                    models.CharField(
                        help_text="The app and the code name, such as invoicing.start_run.", max_length=255
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("group", "permission"), name="permission_given_once")],
            },
        ),
        migrations.RunPython(remember, migrations.RunPython.noop, elidable=False),
    ]
