"""A provider of one's own beside a config."""

my_handler = object()
