"""A small HTTP server whose transfers break, for the scripts beside it.

usage: server.py MODE PORTFILE LOG

The file is 200,000 bytes. LOG gets a line for each request: method, path, Range, Host,
and for a PUT the length of the body that came. The modes:

torn      each GET ends after 100,000 bytes, and the connection with it
once      the first GET ends so; ranges are served whole
resume    each GET, of a range too, ends after 50,000 bytes
status    GET /CODE answers with this status
whole     a range is ignored: each GET is 200 with the whole file
grows     so, too, and each GET sends 1000 bytes more than the one before, from 101,000 on
redirect  GET /file leads to /link/N, whose N counts up; /link/N ends after 100,000 bytes
login     a PUT without credentials is 401 with a challenge for Basic
"""

import http.server
import re
import sys

mode, portfile, log = sys.argv[1:]
BODY = bytes(i * 7 % 251 for i in range(200_000))
seen = {"GET": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, body=""):
        with open(log, "a") as f:
            print(self.command, self.path, self.headers.get("Range", "-"), self.headers.get("Host", "-"), body, file=f)

    def answer(self, status, text=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def file(self, most):
        if mode in ("whole", "grows"):
            return self.answer(200, BODY[:100_000 + 1000 * seen["GET"]] if mode == "grows" else BODY)
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(m[1]) if m else 0
        if first >= len(BODY):
            return self.answer(416, Content_Range=f"bytes */{len(BODY)}")
        self.send_response(206 if m else 200)
        if m:
            self.send_header("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(BODY) - first))
        self.end_headers()
        if self.command == "HEAD":
            return
        part = BODY[first:first + most]
        self.wfile.write(part)
        if first + len(part) < len(BODY):
            self.wfile.flush()
            self.close_connection = True

    def do_HEAD(self):
        self.note()
        self.file(0)

    def do_GET(self):
        self.note()
        seen["GET"] += 1
        if mode == "status":
            return self.answer(int(self.path[1:]), b"no\n")
        if mode == "redirect" and self.path == "/file":
            return self.answer(302, Location=f"/link/{seen['GET']}")
        most = {"torn": 100_000, "redirect": 100_000, "resume": 50_000}.get(mode, len(BODY))
        if mode == "once" and seen["GET"] == 1:
            most = 100_000
        self.file(most)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.note(str(len(body)))
        if mode == "login" and "Authorization" not in self.headers:
            return self.answer(401, WWW_Authenticate='Basic realm="files"')
        self.answer(201)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(portfile, "w") as f:
    f.write(str(server.server_address[1]))
server.serve_forever()
