"""The examples of README.md, taken out of it so that tests can run them against a daemon.

for command in curl_commands("http://127.0.0.1:8123"):
    subprocess.run(["bash", "-c", command], ...)
for program in python_programs("http://127.0.0.1:8123"):
    subprocess.run([sys.executable, "-c", program], ...)
"""

from tests.docs.documents import README, blocks

WRITTEN_BASE = "http://localhost:8000"
"""The address that stands in the examples."""
MODEL = "demo-qwen3"
"""The model that they name."""


def curl_commands(base: str = WRITTEN_BASE) -> list[str]:
    """Every curl command, with ``base`` in place of the address; each may span several lines."""
    texts = [block.text for block in blocks(README) if block.language == "bash"]
    found = [command for text in texts for command in _commands(text)]
    return [command.replace(WRITTEN_BASE, base) for command in found if command.startswith("curl")]


def python_programs(base: str = WRITTEN_BASE) -> list[str]:
    """Every Python program, with ``base`` in place of the address."""
    texts = [block.text for block in blocks(README) if block.language == "python"]
    return [text.replace(WRITTEN_BASE, base) for text in texts]


def settings_documents() -> list[str]:
    """Every piece of sparkwell.yaml."""
    return [block.text for block in blocks(README) if block.language == "yaml"]


def _commands(text: str) -> list[str]:
    """The commands of a shell block: they are apart by a blank line or a comment."""
    commands: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            commands.append([])
        else:
            commands[-1].append(line)
    return ["\n".join(lines) for lines in commands if lines]
