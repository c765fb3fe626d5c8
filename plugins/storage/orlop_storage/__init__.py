"""Storage drivers: where the bytes of a volume are kept."""
