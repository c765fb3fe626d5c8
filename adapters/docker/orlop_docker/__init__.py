"""The Docker adapter: a volume plugin that gives containers volumes of an Orlop cluster.

It runs beside the satellite on every node with a Docker engine. The cluster knows which volumes there are, the kernel
knows what is mounted; the plugin itself keeps only who asked for a mount.
"""
