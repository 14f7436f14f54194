"""The validator: eleven checks, each a pytest module that reads as its specification."""
