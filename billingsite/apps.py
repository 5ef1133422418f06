from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from billingsite import roles


class BillingSiteConfig(AppConfig):
    name = "billingsite"

    def ready(self) -> None:
        connection_created.connect(roles.become_app_role)
        pre_migrate.connect(roles.become_owner, sender=self)
        post_migrate.connect(roles.grant_rights, sender=self)
