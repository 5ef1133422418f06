"""What the speed of the room's work is measured with and against."""
