"""Policies: where replicas go, and when a request counts as done."""
