"""Next to nothing: this file is loaded by the validator, too."""
