"""What the site keeps of itself."""

from django.db import models


class GivenPermission(models.Model):
    """
    A permission that a group of ours was given by default. Each is given once, so that one that a later version brings
    is given too, and one that an administrator takes away stays away.
    """

    group = models.CharField(max_length=150)
    permission = models.CharField(max_length=255, help_text="The app and the code name, such as invoicing.start_run.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "permission"], name="permission_given_once")]

    def __str__(self) -> str:
        return f"{self.permission} to {self.group}"
