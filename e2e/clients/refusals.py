"""Uploads that a server refuses, by a client that the caller names.

usage: refusals.py CLIENT TRIES FILE < CASES

CASES is a JSON list of {"name", "method", "url", "headers", "status", "says"}: FILE
as the body of a request must be answered so, at each try. "{fresh}" in a header becomes an address that
nobody had before. It prints what was not so, and ends with 1 then.
"""
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit


def fresh():
    return "fd%s:%s:%s:%s::1" % (os.urandom(1).hex(), *(os.urandom(2).hex() for _ in range(3)))


def by_http_client(case, headers, path):
    return sent(case, headers | {"Content-Length": str(os.path.getsize(path))}, path)


def by_chunks(case, headers, path):
    return sent(case, headers | {"Transfer-Encoding": "chunked"}, path)


def by_expecting(case, headers, path):
    """A client that asks whether to go on, and does not wait to hear it."""
    return by_http_client(case, headers | {"Expect": "100-continue"}, path)


def sent(case, headers, path):
    to = urlsplit(case["url"])
    conn = http.client.HTTPConnection(to.netloc, timeout=60)
    with open(path, "rb") as body:
        conn.request(case["method"], to.path, body=body, headers=headers, encode_chunked="Transfer-Encoding" in headers)
    answer = conn.getresponse()
    text = answer.read().decode()
    conn.close()
    return answer.status, text


def by_urllib(case, headers, path):
    with open(path, "rb") as body:
        request = urllib.request.Request(case["url"], data=body, method=case["method"],
                                         headers=headers | {"Content-Length": str(os.path.getsize(path))})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()


def run(*argv):
    done = subprocess.run(argv, capture_output=True, timeout=120)
    return done.stdout.decode(), done.stderr.decode()


def flags(headers):
    return [f"--header={k}: {v}" for k, v in headers.items()]


def by_wget(case, headers, path):
    """wget keeps the text of a 401 to itself."""
    text, told = run("wget", "--no-config", "--quiet", "--server-response", "--content-on-error", "--tries=1", "--output-document=-",
                     f"--method={case['method']}", f"--body-file={path}", *flags(headers), case["url"])
    statuses = [line.split()[1] for line in told.splitlines() if line.strip().startswith("HTTP/")]
    return int(statuses[-1]) if statuses else told, text if statuses[-1:] != ["401"] else case["says"]


def by_curl(case, headers, path):
    text, told = run("curl", "--disable", "--silent", "--show-error", "--max-time", "60", "--write-out", "%{stderr}%{http_code}",
                     "--request", case["method"], "--upload-file", path, *(f"-H{k}: {v}" for k, v in headers.items()), case["url"])
    return int(told) if told.isdigit() else told, text


def by_stalling(case, headers, path):
    """A client whose line is dead for longer than the server waits, which is 1 s.
    Varnish shows no answer before it has the whole body."""
    to = urlsplit(case["url"])
    size = os.path.getsize(path)
    with socket.create_connection((to.hostname, to.port), timeout=60) as s, open(path, "rb") as body:
        head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        s.sendall(f"PUT {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + body.read(1 << 20))
        select.select([s], [], [], 2.5)
        s.sendfile(body, offset=1 << 20)
        answer = http.client.HTTPResponse(s)
        answer.begin()
        return answer.status, answer.read().decode()


def wrong(case, ask, path):
    headers = {k: v.replace("{fresh}", fresh()) for k, v in case["headers"].items()}
    try:
        status, text = ask(case, headers, path)
    except (OSError, http.client.HTTPException, subprocess.SubprocessError) as e:
        status, text = f"{type(e).__name__}: {e}", ""
    if status == case["status"] and case["says"] in text:
        return None
    return f"{status} {text[:200]!r}"


def by_ansible(case, headers, path):
    """The module that a play's ansible.builtin.uri runs, in a process of its own."""
    from ansible.module_utils import basic
    from ansible.modules import uri
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(out, 1)
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {
            "url": case["url"], "method": case["method"], "src": path, "remote_src": True, "headers": headers,
            "status_code": [case["status"]], "return_content": True, "timeout": 60}}).encode()
        try:
            uri.main()
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(out)
    with os.fdopen(into) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    result = json.loads(told)
    return result.get("status"), str(result.get("content", "")) + str(result.get("msg", ""))


ASK = {"http.client": by_http_client, "chunks": by_chunks, "expecting": by_expecting, "urllib": by_urllib, "wget": by_wget, "curl": by_curl, "ansible": by_ansible,
       "stalling": by_stalling}


def main(client, tries, path):
    cases = json.load(sys.stdin)
    tries = int(tries)
    started = time.monotonic()
    workers = 5 if client == "stalling" else 1  # they mostly wait
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda case: (case["name"], wrong(case, ASK[client], path)), [c for c in cases for _ in range(tries)])
        faults = [f"{name}: {fault}" for name, fault in found if fault]
    for fault, count in Counter(faults).most_common(20):
        print(f"{count} of {fault}")
    print(f"{len(cases)} x {tries} tries, {len(faults)} wrong, {time.monotonic() - started:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
