"""Write catalog/guides/guides.json, which is read quickly, from the YAML files beside it.

With --check nothing is written: the exit status is 1 when the file is not what it should be.
"""

import sys

from generated import bring_up_to_date
from sparkwell.catalog.guide_claims import SNAPSHOT, read_guides, snapshot

if __name__ == "__main__":
    sys.exit(bring_up_to_date({SNAPSHOT: snapshot(read_guides()).decode()}, sys.argv[1:]))
