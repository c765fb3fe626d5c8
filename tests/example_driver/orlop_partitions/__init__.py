"""Volumes of Orlop as GPT partitions of one disk per pool."""
