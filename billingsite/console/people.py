"""Users, groups, second factors and the schedule, in the console's look."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_celery_beat.admin import PeriodicTaskAdmin as BeatTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.browsing import ConsoleAdmin, ReadOnlyAdmin

for model in (
    User, Group, EmailAddress, Authenticator,
    ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule,
):  # fmt: skip
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ConsoleAdmin):
    """A person who signs in. Staff see the console as far as their groups go."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    actions = None


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ConsoleAdmin):
    """What the members may do; the three that ship may be changed, and keep the change."""

    actions = None


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Who has a second factor; its secret is nobody's to see."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("type",)
    ordering = ("user__username", "type")
    fields = ("user", "type", "created_at", "last_used_at")

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        """A lost device: whoever may delete removes it, and its owner sets up another at the next sign-in."""
        return request.user.has_perm("mfa.delete_authenticator")


class UnfoldTaskSelectWidget(UnfoldAdminSelectWidget, TaskSelectWidget):
    pass


class TaskForm(PeriodicTaskForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = UnfoldTaskSelectWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatTaskAdmin, ConsoleAdmin):
    """What the beat does and when; each tick only asks the database what is due."""

    form = TaskForm
    list_display = ("name", "task", "enabled", "scheduler", "last_run_at")
    list_filter = ("enabled",)
    actions = None
    # The package's own holds an inline script, which the content security policy refuses.
    change_form_template = None


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ConsoleAdmin):
    ordering = ("period", "every")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ConsoleAdmin):
    list_display = ("__str__", "human_readable")
    ordering = ("pk",)
