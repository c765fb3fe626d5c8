"""A whole Orlop cluster on one machine: real programs on loopback addresses, pools of files on loop devices."""
