"""Write catalog/guides/guides.json, which is read quickly, from the YAML files beside it.

With --check nothing is written: the exit status is 1 when the file is not what it should be.
"""

import sys

from sparkwell.catalog.guide_claims import SNAPSHOT, read_guides, snapshot


def main() -> int:
    """Write the file, or say that it is stale."""
    text = snapshot(read_guides())
    if SNAPSHOT.exists() and SNAPSHOT.read_bytes() == text:
        return 0
    if "--check" in sys.argv:
        print(f"{SNAPSHOT.name} is not what the YAML files say: run `make docs`")
        return 1
    SNAPSHOT.write_bytes(text)
    print(f"src/sparkwell/catalog/guides/{SNAPSHOT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
