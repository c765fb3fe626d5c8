"""Trees of an operating system for what is built here: the nodes of the lab, the managed plugin for Docker."""
