"""Fetching weights from the Hub, in a process of its own that can be watched and killed.

``fetch`` starts ``python -m sparkwell.drivers.download`` and follows it. Only that process
imports huggingface_hub (half a second) and touches the cache folder.

What the process promises: a blob has its final name only when its checksum is right, a snapshot
names a file only when its blob is whole, and what was fetched before a cut is not fetched again.
"""

from sparkwell.drivers.download.client import fetch
from sparkwell.drivers.download.messages import DownloadRequest, Fetched, Progress, Stage
from sparkwell.drivers.download.place import Candidate, candidates, choose_folder

__all__ = [
    "Candidate",
    "DownloadRequest",
    "Fetched",
    "Progress",
    "Stage",
    "candidates",
    "choose_folder",
    "fetch",
]
