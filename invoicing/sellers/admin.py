"""Who issues the invoices, and the counters of their numbers."""

from base64 import b64encode
from io import BytesIO
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.html import format_html
from PIL import Image, UnidentifiedImageError
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanSwitchWidget

from accounts.browsing import ConsoleAdmin
from invoicing.sellers.models import NumberSeries, Seller

LOGO_BYTES = 512 * 1024
LOGO_SIDE = 3000


class SellerForm(forms.ModelForm):
    """The seller, and its logo as a file."""

    logo_file = forms.FileField(
        label="New logo",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"PNG or JPEG, at most {LOGO_BYTES // 1024} kB and {LOGO_SIDE} pixels a side. Printed top left.",
    )
    remove_logo = forms.BooleanField(label="Remove the logo", required=False, widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = Seller
        exclude = ("logo",)

    def clean_time_zone(self) -> str:
        zone = self.cleaned_data["time_zone"]
        if zone not in available_timezones():
            raise ValidationError("There is no such time zone. Write it like America/Denver or Europe/Berlin.")
        return zone

    def clean_logo_file(self) -> bytes | None:
        upload: UploadedFile | None = self.cleaned_data["logo_file"]
        return checked_logo(upload) if upload else None

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data["remove_logo"]:
            self.instance.logo = None
        if self.cleaned_data["logo_file"]:
            self.instance.logo = self.cleaned_data["logo_file"]
        return super().save(commit)


def checked_logo(upload: UploadedFile) -> bytes:
    """
    The bytes of a picture that documents can print.

    :raises ValidationError: if it is too large, or no PNG or JPEG
    """
    if (upload.size or 0) > LOGO_BYTES:
        raise ValidationError(f"The file is larger than {LOGO_BYTES // 1024} kB.")
    content = upload.read()
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as picture:
            if max(picture.size) > LOGO_SIDE:
                raise ValidationError(f"The picture is larger than {LOGO_SIDE} pixels a side.")
            picture.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValidationError("This is no PNG or JPEG picture.") from error
    return content


@admin.register(Seller)
class SellerAdmin(ConsoleAdmin):
    form = SellerForm
    list_display = ("name", "country", "currency", "time_zone", "is_default")
    ordering = ("name",)
    readonly_fields = ("logo_now",)
    fieldsets = (
        ("Who", {
            "fields": ("name", "address_line", ("city", "state"), ("postal_code", "country"), ("email", "phone")),
        }),
        ("Days and money", {"fields": (("time_zone", "currency"), "is_default")}),
        ("On the documents", {
            "fields": ("tax_ids", "payment_instructions", "page_size", "logo_now", "logo_file", "remove_logo"),
            "description": "A change shows on documents issued from now on; "
            "what was issued keeps what it was issued with.",
        }),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="logo")
    def logo_now(self, seller: Seller) -> str:
        if not seller.logo:
            return "none: documents show the name"
        kind = "png" if bytes(seller.logo[:4]) == b"\x89PNG" else "jpeg"
        data = b64encode(bytes(seller.logo)).decode()
        return format_html('<img class="cb-logo" alt="The logo as printed" src="data:image/{};base64,{}">', kind, data)


@admin.register(NumberSeries)
class NumberSeriesAdmin(ConsoleAdmin):
    """BILL-6: once a number was taken the series stands, or there would be a gap or a repeat."""

    list_display = ("prefix", "kind", "seller", "next_as_printed", "numbers_taken")
    list_select_related = ("seller",)
    ordering = ("seller", "kind")
    fields = ("seller", "kind", "prefix", "width", "first_number", "next_as_printed", "numbers_taken")
    readonly_fields = ("next_as_printed", "numbers_taken")

    def has_change_permission(self, request: HttpRequest, obj: NumberSeries | None = None) -> bool:
        used = obj is not None and obj.next_number > obj.first_number
        return not used and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: NumberSeries, form: Any, change: bool) -> None:
        obj.next_number = obj.first_number
        super().save_model(request, obj, form, change)

    @display(description="next number")
    def next_as_printed(self, series: NumberSeries) -> str:
        return series.number(series.next_number) if series.pk else "—"

    @display(description="numbers taken")
    def numbers_taken(self, series: NumberSeries) -> str:
        taken = series.next_number - series.first_number
        return f"{taken:,}: the series can no longer be changed (BILL-6)" if taken else "none yet"
