"""Answers each byte at once: what the machine itself takes for a round trip. Prints its port, serves one connection."""

import socket


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while said := connection.recv(16):
            connection.sendall(said)


if __name__ == "__main__":
    main()
