"""Write docker-compose.yml and .env.example of this repository: `make docs`.

The file has every service of the guides, planned for a DGX Spark. With --check nothing is written:
the exit status is 1 when a file is not what it should be.
"""

import sys
from pathlib import Path

from generated import ROOT, bring_up_to_date
from sparkwell.app.composing.making import Composing
from sparkwell.app.composing.wish import ComposeWish
from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog

ENVIRONMENT = """\
# Copy to .env beside docker-compose.yml. Compose reads it when it makes a container; after a
# change: docker compose up -d --force-recreate NAME
#
# A token of the Hugging Face Hub. Public models need none, and download without one too; leave it
# empty then, but keep the line. In a container it is a file, not a variable.
HF_TOKEN=
"""


def text() -> str:
    """docker-compose.yml, whatever machine this is: the shipped recipes, a described machine."""
    nowhere = Path("/nonexistent")
    paths = Paths(config=nowhere, data=nowhere, state=nowhere, cache=nowhere)
    models = ModelService(paths, Settings(), load_catalog(), {})
    return Composing(models).compose(ComposeWish(hardware="dgx-spark", token=True)).text


if __name__ == "__main__":
    files = {ROOT / "docker-compose.yml": text(), ROOT / ".env.example": ENVIRONMENT}
    sys.exit(bring_up_to_date(files, sys.argv[1:]))
