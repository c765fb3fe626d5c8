"""Virtual nodes with real kernels: see docs/lab.md."""
