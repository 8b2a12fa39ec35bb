"""What holds for a gateway in the daemon holds for one beside it: the same tests, other fixtures.

pytest takes fixtures from where a test is collected: here `client` and `hasty` are those of this
folder's conftest.
"""

from tests.unit.gateway.test_endpoints import *  # noqa: F403
from tests.unit.gateway.test_openai_client import *  # noqa: F403
from tests.unit.gateway.test_relay import *  # noqa: F403
from tests.unit.gateway.test_requests import *  # noqa: F403
from tests.unit.gateway.test_waiting import *  # type: ignore[assignment]  # noqa: F403

# These take a look at a ticket for a sign that headers have been sent; a worker looks before.
del test_a_failure_is_raised_with_its_words, test_the_engines_own_error_too  # noqa: F821
# This one has models that cannot be told to anybody.
del test_a_mistake_of_ours_is_logged_and_not_shown  # noqa: F821
# A lease is given back soon, not before the answer's end: see test_holdings.
del test_a_lease_is_given_back_when_the_engine_is_gone  # noqa: F821
