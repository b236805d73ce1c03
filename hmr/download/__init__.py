"""Data sets from their owners: archives fetched and unpacked, and gated sets checked."""
