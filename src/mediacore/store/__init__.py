"""Call records and recordings on disk."""
