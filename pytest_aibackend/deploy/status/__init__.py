"""What `aibackend status` tells of the gateway."""
