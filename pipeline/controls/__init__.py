"""What people steer the machine with: switches, incidents, the blocklist, and keys for scripts that do the same."""
