"""`aibackend watch`: a reload for each change of the sources."""
