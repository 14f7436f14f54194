"""A pull request, as somebody who reviews it should see it: what it changes and whether it says so."""
