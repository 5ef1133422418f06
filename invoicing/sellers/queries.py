"""A seller's own days."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.timezone import localdate

from invoicing.sellers.models import Seller


def books_today(*, now: datetime) -> date:
    """The latest day it is for any seller: no entry of the books is dated after it, though it may still be yesterday
    elsewhere."""
    zones = Seller.objects.values_list("time_zone", flat=True).distinct()
    return max((localdate(now, ZoneInfo(zone)) for zone in zones), default=localdate(now))


def today_of(seller: Seller, *, now: datetime) -> date:
    """The day it is for a seller at a moment: a billing date is read in its time zone."""
    return localdate(now, ZoneInfo(seller.time_zone))
