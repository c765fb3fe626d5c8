"""Writes numbers to two devices, to the second only what the first one has answered for; until it is killed.

Run in a node: `python3 pair_writer.py FIRST SECOND`. Each number goes to its own place among `PLACES` blocks.
"""

import mmap
import os
import sys

BLOCK, PLACES = 4096, 256


def main(paths: list[str]) -> None:
    devices = [os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC) for path in paths]
    block = mmap.mmap(-1, BLOCK)  # aligned, as direct I/O wants it
    number = 0
    while True:
        number += 1
        block[:8] = number.to_bytes(8, "big")
        for device in devices:
            os.pwrite(device, block, number % PLACES * BLOCK)


if __name__ == "__main__":
    main(sys.argv[1:])
