"""The reload: gate, canary, backups, swap, service, verification, journal; `pipeline` puts them in order."""
