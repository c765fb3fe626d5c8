"""The agent in a node: carries out what the host asks for, one request for each connection.

A request is a line of JSON, then as many bytes as its `length` says; so is the answer.
"""

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys

sys.path.insert(0, "/lab")
import become  # noqa: E402 - the interpreter is started without any search path of its own

PORT = 7777
STUCK = 124  # exit code of a command that was ended because its time was over


def run(request, body):
    """Run a program in a session of its own; what it leaves in the background is not waited for."""
    environment = {**os.environ, **request.get("environment", {})}
    process = subprocess.Popen(
        request["argv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=request.get("directory", "/root"),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(body, timeout=request["seconds"])
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        code = STUCK
        try:
            output, errors = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            output, errors = b"", b"it hangs in the kernel"
    return {"code": code, "output": len(output)}, output + errors


def start(request, body):
    """Run a program in the background, with all it says in a file; its pid comes back."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY, 0o600)
    try:
        process = subprocess.Popen(
            request["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **request.get("environment", {})},
            cwd="/root",
            start_new_session=True,
        )
    finally:
        os.close(log)
    CHILDREN[process.pid] = process
    return {"pid": process.pid}, b""


def stop(request, body):
    """Send a signal to a program that `start` started, and wait; its exit code comes back."""
    process = CHILDREN[request["pid"]]
    if process.poll() is None:
        process.send_signal(request["signal"])
    code = process.wait(request["seconds"])
    return {"code": code}, b""


def alive(request, body):
    process = CHILDREN.get(request["pid"])
    return {"alive": process is not None and process.poll() is None}, b""


def put(request, body):
    os.makedirs(os.path.dirname(request["path"]), exist_ok=True)
    with open(os.open(request["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, request["mode"]), "wb") as file:
        file.write(body)
    return {}, b""


def get(request, body):
    with open(request["path"], "rb") as file:
        return {}, file.read()


def be(request, body):
    become.become(request)
    return {}, b""


def ping(request, body):
    return {}, b""


CHILDREN = {}
REQUESTS = {call.__name__: call for call in (run, start, stop, alive, put, get, be, ping)}


class Request(socketserver.StreamRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self.rfile.readline()
        if not line:
            return
        request = json.loads(line)
        body = self.rfile.read(request["length"])
        try:
            answer, content = REQUESTS[request["do"]](request, body)
        except Exception as error:  # noqa: BLE001 - the host raises it
            answer, content = {"error": repr(error)}, b""
        self.wfile.write(json.dumps({**answer, "length": len(content)}).encode() + b"\n" + content)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    Server(("0.0.0.0", PORT), Request).serve_forever()
