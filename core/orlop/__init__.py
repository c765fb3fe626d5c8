"""Orlop: block-storage orchestration for Linux clusters."""

__version__ = "0.1.0"
