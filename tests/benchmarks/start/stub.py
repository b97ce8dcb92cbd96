"""A notebook server that is none: takes a free port, reports it to the hub, answers every request with 200.

The same for all arms, so that what starts it is what is measured. Two modules of the standard library, for its own
import time would be measured too. Ends on TERM, as any program does.
"""

import os
import socket

listening = socket.create_server(("127.0.0.1", 0), backlog=16)
host, _, rest = os.environ["JUPYTERHUB_API_URL"].removeprefix("http://").partition("/")
name, _, port = host.partition(":")
body = f'{{"port": {listening.getsockname()[1]}}}'
report = (f"POST /{rest}/batchspawner HTTP/1.0\r\nHost: {host}\r\nAuthorization: token "
          f"{os.environ['JUPYTERHUB_API_TOKEN']}\r\nContent-Type: application/json\r\n"
          f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
with socket.create_connection((name, int(port)), timeout=120) as hub:
    hub.sendall(report)
    print(hub.recv(4096).split(b"\r\n")[0].decode(), flush=True)
while True:
    client, _ = listening.accept()
    with client:
        asked = b""
        while b"\r\n\r\n" not in asked and (more := client.recv(65536)):
            asked += more
        client.sendall(b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Type: application/json\r\n"
                       b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
