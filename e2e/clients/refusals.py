"""Uploads that a server refuses, by a client that the caller names.

usage: refusals.py CLIENT TRIES FILE < CASES

CASES is a JSON list of {"name", "url", "headers", "status", "says"}: a PUT of FILE
must be answered so, at each try. "{fresh}" in a header becomes an address that
nobody had before. It prints what was not so, and ends with 1 then.
"""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import select
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def fresh():
    return "fd%s:%s:%s:%s::1" % (os.urandom(1).hex(), *(os.urandom(2).hex() for _ in range(3)))


def by_http_client(case, headers, path):
    to = urlsplit(case["url"])
    conn = http.client.HTTPConnection(to.netloc, timeout=60)
    with open(path, "rb") as body:
        conn.request("PUT", to.path, body=body, headers=headers | {"Content-Length": str(os.path.getsize(path))})
    answer = conn.getresponse()
    text = answer.read().decode()
    conn.close()
    return answer.status, text


def by_urllib(case, headers, path):
    with open(path, "rb") as body:
        request = urllib.request.Request(case["url"], data=body, method="PUT",
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
                     "--method=PUT", f"--body-file={path}", *flags(headers), case["url"])
    statuses = [line.split()[1] for line in told.splitlines() if line.strip().startswith("HTTP/")]
    return int(statuses[-1]) if statuses else told, text if statuses[-1:] != ["401"] else case["says"]


def by_curl(case, headers, path):
    text, told = run("curl", "--disable", "--silent", "--show-error", "--max-time", "60", "--write-out", "%{stderr}%{http_code}",
                     "--upload-file", path, *(f"-H{k}: {v}" for k, v in headers.items()), case["url"])
    return int(told) if told.isdigit() else told, text


def by_stalling(case, headers, path):
    """A client whose line is dead for longer than the server waits."""
    to = urlsplit(case["url"])
    size = os.path.getsize(path)
    with socket.create_connection((to.hostname, to.port), timeout=60) as s, open(path, "rb") as body:
        head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        s.sendall(f"PUT {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + body.read(1 << 20))
        select.select([s], [], [], 4)
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


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: ask
      ansible.builtin.uri:
        url: "{{ item.0.url }}"
        method: PUT
        src: "{{ path }}"
        remote_src: true
        headers: "{{ dict(item.0.headers.keys() | zip(item.0.headers.values() | map('replace', '{fresh}', item.1))) }}"
        status_code: "{{ item.0.status }}"
        return_content: true
      loop: "{{ cases | product(addresses) | list }}"
      loop_control: {label: "{{ item.0.name }}"}
      register: tries
      failed_when: tries.status != item.0.status or item.0.says not in (tries.content | default(''))
"""


def by_ansible(cases, tries, path):
    """All of it in one play."""
    with tempfile.TemporaryDirectory() as scratch:
        play, told = os.path.join(scratch, "play.yml"), os.path.join(scratch, "vars.json")
        with open(play, "w") as f:
            f.write(PLAY.replace("{fresh}", "FRESH"))
        with open(told, "w") as f:
            json.dump({"path": path, "addresses": [fresh() for _ in range(tries)], "cases": json.loads(json.dumps(cases).replace("{fresh}", "FRESH"))}, f)
        done = subprocess.run(["ansible-playbook", "-i", "localhost,", "-e", "@" + told, play], capture_output=True, text=True,
                              env=os.environ | {"ANSIBLE_PIPELINING": "1", "ANSIBLE_LOCAL_TEMP": scratch, "ANSIBLE_REMOTE_TEMP": scratch,
                                                "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    lines = [line[:400] for line in done.stdout.splitlines() if line.startswith(("failed:", "fatal:"))]
    return lines or ([done.stdout + done.stderr] if done.returncode else [])


def main(client, tries, path):
    cases = json.load(sys.stdin)
    tries = int(tries)
    started = time.monotonic()
    if client == "ansible":
        faults = by_ansible(cases, tries, path)
    else:
        ask = {"http.client": by_http_client, "urllib": by_urllib, "wget": by_wget, "curl": by_curl, "stalling": by_stalling}[client]
        faults, lock = [], threading.Lock()

        def one(case):
            fault = wrong(case, ask, path)
            if fault:
                with lock:
                    faults.append(f"{case['name']}: {fault}")

        for case in cases:
            for _ in range(0 if client == "stalling" else tries):
                one(case)
            if client == "stalling":  # they mostly wait
                waiting = [threading.Thread(target=one, args=(case,)) for _ in range(tries)]
                for w in waiting:
                    w.start()
                for w in waiting:
                    w.join()
    for fault in faults[:20]:
        print(fault)
    print(f"{len(cases)} x {tries} tries, {len(faults)} wrong, {time.monotonic() - started:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
