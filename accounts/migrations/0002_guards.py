"""P6: what was decided and done is never changed: refused by trigger, whoever asks."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused. A correction is another row.', TG_TABLE_NAME, TG_OP;
END $$
"""
GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT WHEN (current_setting('billing.tables_may_be_emptied', true) IS DISTINCT FROM 'yes')
EXECUTE FUNCTION refuse_change()
"""
TABLES = ["accounts_decision", "accounts_auditentry"]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_tables")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION refuse_change()"),
        *[
            migrations.RunSQL(
                GUARD.format(table=table), f"DROP TRIGGER append_only ON {table}; DROP TRIGGER never_emptied ON {table}"
            )
            for table in TABLES
        ],
    ]
