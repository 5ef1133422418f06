"""Several orders may stand on one invoice: a month's run carries all that was asked for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("invoicing", "0008_given_up_and_back"),
    ]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="invoice",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="invoicing.invoice",
            ),
        ),
    ]
