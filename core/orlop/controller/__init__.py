"""Holds what is wanted and what was last reported, serves the REST API, drives the satellites."""
