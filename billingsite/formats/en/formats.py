"""Days and times of the console's lists, as its own cells write them: they sort as they read, in every country."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i T"
