"""What a change of the configuration means: for the clients of each model group, for security, for speed."""
