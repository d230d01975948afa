"""How fast and how small: measurements, not tests. `make bench` runs all, `python -m bench NAME ...` some."""
