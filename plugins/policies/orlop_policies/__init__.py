"""Policies: which of several possible places a replica gets."""
