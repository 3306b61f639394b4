"""What GitLab's API does for a release tool, as little as one needs, for the script
beside it: a release, its links, and packages whose bytes are dropped.

usage: releases.py - PORTFILE LOG

A link whose name the release has already is 400, in GitLab's words. LOG gets method,
path and status of each request.
"""

import http.server
import json
import sys

portfile, log = sys.argv[2:]
releases, links = {}, {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status, value):
        with open(log, "a") as f:
            print(self.command, self.path, status, file=f)
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        tag = self.path.rpartition("/")[2]
        if self.path.endswith("/version"):
            self.answer(200, {"version": "18.4.0"})
        elif self.path.endswith("/links"):
            self.answer(200, list(links.values()))
        elif "/releases/" in self.path and tag in releases:
            self.answer(200, releases[tag])
        else:
            self.answer(404, {"message": "404 Not Found"})

    def do_POST(self):
        value = json.loads(self.body())
        if not self.path.endswith("/links"):
            releases[value["tag_name"].replace(".", "%2E")] = value
            return self.answer(201, value)
        if value["name"] in links:
            return self.answer(400, {"message": {"name": ["has already been taken"]}})
        links[value["name"]] = value | {"id": len(links) + 1}
        self.answer(201, links[value["name"]])

    def do_PUT(self):
        self.body()
        self.answer(201 if "/generic/" in self.path else 200, {"message": "201 Created"})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(portfile, "w") as f:
    f.write(str(server.server_address[1]))
server.serve_forever()
