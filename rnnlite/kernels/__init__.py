"""The machine room: functions over flat arrays, no classes, no validation."""
