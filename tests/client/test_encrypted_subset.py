"""What the SDK promises about editing, syncing and the doctor, held once more on replicas that are encrypted."""

from functools import partial

import pytest

from tests.client.conftest import OpenReplica
from tests.client.test_checkins import *  # noqa: F403
from tests.client.test_erased_account import test_a_new_account_of_the_same_address_gets_nothing_of_the_erased_one  # noqa: F401
from tests.client.test_refusals import *  # noqa: F403
from tests.client.test_sign_ins import *  # noqa: F403
from tests.client.test_sync_loop import *  # noqa: F403
from tests.client.test_workouts import *  # noqa: F403

del test_a_huge_edit_is_split_and_a_record_that_is_full_says_so  # noqa: F821 - half a minute, whatever the store.

KEY = bytes(range(32))


@pytest.fixture
def open_replica(open_replica: OpenReplica) -> OpenReplica:
    """Give every replica of these tests a key."""
    return partial(open_replica, encryption_key=KEY)
