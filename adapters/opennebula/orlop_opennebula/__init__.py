"""The OpenNebula adapter. Its driver comes with its own release; the package holds its place."""
