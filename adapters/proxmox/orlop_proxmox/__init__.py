"""The Proxmox VE adapter. Its driver comes with its own release; the package holds its place."""
