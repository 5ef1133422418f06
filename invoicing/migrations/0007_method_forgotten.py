"""When a gateway forgot a payment method that was removed."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_api_tokens"),
        ("invoicing", "0006_card_fee"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="paymentmethod",
            name="changed_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="paymentmethod",
            name="removed_delete",
        ),
        migrations.AddField(
            model_name="paymentmethod",
            name="forgotten_at",
            field=models.DateTimeField(
                blank=True, help_text="When the gateway forgot it as well, after it was removed.", null=True
            ),
        ),
        migrations.AddField(
            model_name="paymentmethodevent",
            name="forgotten_at",
            field=models.DateTimeField(
                blank=True, help_text="When the gateway forgot it as well, after it was removed.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="paymentmethod",
            index=models.Index(
                condition=models.Q(("forgotten_at__isnull", True), ("state", "REMOVED")),
                fields=["id"],
                name="method_to_forget",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="paymentmethod",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "invoicing_paymentmethodevent" ("account_id", "added_at", "blocked_because", "brand", "customer_token", "expires_on", "forgotten_at", "funding", "gateway", "id", "is_default", "kind", "last_four", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "state", "token") SELECT old_values."account_id", old_values."added_at", old_values."blocked_because", old_values."brand", old_values."customer_token", old_values."expires_on", old_values."forgotten_at", old_values."funding", old_values."gateway", old_values."id", old_values."is_default", old_values."kind", old_values."last_four", _pgh_attached_context.value, NOW(), \'changed\', old_values."id", old_values."state", old_values."token" FROM ( SELECT old_values.* FROM old_values JOIN new_values ON (old_values."id") = (new_values."id") WHERE (old_values.* IS DISTINCT FROM new_values.*) ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="6dc4bf301e4f0c18cd89ac0b419189cafdd80427",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_7a3d5",
                    referencing="REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ",
                    table="invoicing_paymentmethod",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="paymentmethod",
            trigger=pgtrigger.compiler.Trigger(
                name="removed_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "invoicing_paymentmethodevent" ("account_id", "added_at", "blocked_because", "brand", "customer_token", "expires_on", "forgotten_at", "funding", "gateway", "id", "is_default", "kind", "last_four", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "state", "token") SELECT old_values."account_id", old_values."added_at", old_values."blocked_because", old_values."brand", old_values."customer_token", old_values."expires_on", old_values."forgotten_at", old_values."funding", old_values."gateway", old_values."id", old_values."is_default", old_values."kind", old_values."last_four", _pgh_attached_context.value, NOW(), \'removed\', old_values."id", old_values."state", old_values."token" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;',
                    hash="797a748b2554de812247793c4e8e8fdacaea0567",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_removed_delete_b421e",
                    referencing="REFERENCING OLD TABLE AS old_values ",
                    table="invoicing_paymentmethod",
                    when="AFTER",
                ),
            ),
        ),
    ]
