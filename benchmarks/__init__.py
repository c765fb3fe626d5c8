"""How fast it is. `python -m benchmarks` runs everything and prints one table; nothing here is installed."""
