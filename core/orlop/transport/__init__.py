"""Messages between controller and satellite, and how each proves itself to the other."""
