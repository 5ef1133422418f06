"""A seller's own days."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.timezone import localdate

from invoicing.sellers.models import Seller


def today_of(seller: Seller, *, now: datetime) -> date:
    """The day it is for a seller at a moment: a billing date is read in its time zone."""
    return localdate(now, ZoneInfo(seller.time_zone))
