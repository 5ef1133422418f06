"""A provider to look at: its book, three months of its history, and this month's run."""
