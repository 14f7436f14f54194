"""The rules of change, one subject a module; `diff.catalogue` finds them."""
