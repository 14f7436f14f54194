"""Pages that repeat what is written elsewhere: the configuration, the checks, the rules."""
