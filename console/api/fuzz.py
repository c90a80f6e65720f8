"""The API of the console, over the demo, asked for what nobody meant: schemathesis makes requests of the description,
good and bad ones, alone and one after the other, and holds each answer against it.

    python fuzz.py target/debug/fundwatch docs/console/openapi.json SCHEMATHESIS [SECONDS]
"""

import html
import http.cookiejar
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

DEMO_WITHIN_SECONDS = 120
# Supervisors may do most of it, and of the rest auditors.
PARTS = [("supervisor", "work", ["--exclude-path-regex", "/audit"], 0.8), ("auditor", "read", ["--include-path-regex", "/audit"], 0.2)]
# A good request that cannot be done as things stand is no fault of the API's.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 403, 404, 409, 422]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422]
"""


class Browser:
    """Somebody who makes a token on the pages, as there is no other way."""

    def __init__(self, base):
        self.base = base
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def get(self, path):
        with self.opener.open(self.base + path, timeout=30) as answer:
            return answer.read().decode()

    def post(self, page, path, fields):
        csrf = re.search(r'name="csrf" value="(\w+)"', self.get(page)).group(1)
        body = urllib.parse.urlencode({**fields, "csrf": csrf}).encode()
        with self.opener.open(self.base + path, body, timeout=30) as answer:
            return answer.read().decode()

    def token(self, login, password, scope):
        self.post("/login", "/login", {"login": login, "password": password, "code": "", "next": ""})
        fields = {"name": "fuzz", "scope": scope, "days": "1", "password": password}
        return html.unescape(re.search(r"<code>(\w+)</code>", self.post("/account", "/account/tokens/make", fields)).group(1))


def started(demo):
    """Where the console is, and the passwords of this demo."""
    text = ""
    for line in demo.stdout:
        text += line
        if "Ctrl-C" in line:
            break
    else:
        raise SystemExit(f"the demo ended:\n{text}")
    base = re.search(r"console: (http:\S+)", text).group(1)
    return base, dict(re.findall(r"^ {2}(\w+) +([0-9a-f]{32})$", text, re.MULTILINE))


def with_real_cases(description, base, token):
    """The description with ids and versions that there are: made-up ones would find nothing but what is missing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{base}/api/v1/cases", headers={"Authorization": f"Bearer {token}"})
    with opener.open(request, timeout=30) as answer:
        cases = json.load(answer)["cases"]
    ids = [case["alert"] for case in cases[:20]] + ["0" * 32]
    for item in description["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "id":
                    parameter["schema"] = {"type": "string", "enum": ids}
                if parameter["name"] == "n":
                    parameter["example"] = 1
    for schema in description["components"]["schemas"].values():
        # Of bodies alone; answers are left as they are.
        if schema.get("additionalProperties") is False and "version" in schema["properties"]:
            schema["properties"]["version"]["examples"] = [1, 2, 3]
    return description


def fuzz(program, description, schemathesis, seconds, folder):
    demo = subprocess.Popen(
        [program, "demo", "--stay", "--out", str(folder / "demo")], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    too_late = threading.Timer(DEMO_WITHIN_SECONDS, demo.kill)
    too_late.start()
    try:
        base, people = started(demo)
        too_late.cancel()
        (folder / "schemathesis.toml").write_text(CONFIGURATION)
        failed = False
        for login, scope, paths, part in PARTS:
            token = Browser(base).token(login, people[login], scope)
            if scope == "work":
                (folder / "openapi.json").write_text(json.dumps(with_real_cases(description, base, token)))
            command = [schemathesis, "--config-file", str(folder / "schemathesis.toml"), "run", str(folder / "openapi.json")]
            command += ["--url", base, "--header", f"Authorization: Bearer {token}", "--max-time", str(max(1, round(seconds * part)))]
            command += ["--seed", "1", "--no-color", *paths]
            failed |= subprocess.run(command, cwd=folder, check=False).returncode != 0
        # Nothing of it broke the chain.
        auditor = urllib.request.Request(f"{base}/api/v1/audit/verification", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(auditor, timeout=60) as answer:
            verified = json.load(answer)
        print(f"the audit trail: {verified}")
        return failed or not verified["is_whole"] or demo.poll() is not None
    finally:
        too_late.cancel()
        demo.send_signal(signal.SIGINT)
        demo.wait(timeout=30)


def main():
    program, description, schemathesis, *seconds = sys.argv[1:]
    seconds = float(seconds[0]) if seconds else 30
    description = json.loads(pathlib.Path(description).read_text(encoding="utf-8"))
    program, schemathesis = (str(pathlib.Path(path).absolute()) for path in (program, schemathesis))
    with tempfile.TemporaryDirectory(prefix="fundwatch-api-") as folder:
        failed = fuzz(program, description, schemathesis, seconds, pathlib.Path(folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
