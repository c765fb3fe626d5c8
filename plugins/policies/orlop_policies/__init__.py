"""Policies: which of several possible places a replica gets, and when a request counts as done."""
