from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from billingsite import groups, roles


class BillingSiteConfig(AppConfig):
    name = "billingsite"

    def ready(self) -> None:
        connection_created.connect(roles.become_app_role)
        # The signals are sent once for each app that has models, in the order of INSTALLED_APPS.
        with_models = [config for config in apps.get_app_configs() if config.models_module]
        pre_migrate.connect(roles.become_owner, sender=with_models[0])
        post_migrate.connect(groups.make_groups, sender=with_models[-1])
        post_migrate.connect(roles.grant_rights, sender=with_models[-1])
