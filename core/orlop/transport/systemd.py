"""What a program tells the service manager that started it (the protocol of sd_notify(3))."""

import os
import socket


def notify(state: str) -> None:
    """Send for example READY=1; does nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
        speaker.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
