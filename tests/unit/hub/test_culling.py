from datetime import timedelta

from jupyterhub.scopes import scope_definitions

from hub import culling

HOUR, HALF, NEVER = timedelta(hours=1), timedelta(minutes=30), timedelta(0)


def test_gpu_profiles_are_left_open_for_a_shorter_time():
    assert culling.idle_limit(gpus=0, own=None, idle=HOUR, idle_gpu=HALF) == HOUR
    assert culling.idle_limit(gpus=1, own=None, idle=HOUR, idle_gpu=HALF) == HALF


def test_a_profiles_own_limit_goes_first_and_zero_means_never():
    assert culling.idle_limit(gpus=1, own=3 * HOUR, idle=HOUR, idle_gpu=HALF) == 3 * HOUR
    assert culling.idle_limit(gpus=1, own=NEVER, idle=HOUR, idle_gpu=HALF) == NEVER


def test_the_net_waits_longer_than_any_server_may_be_idle():
    assert culling.arguments([HALF, HOUR, NEVER]) == ["--timeout=4500", "--cull-every=300"]


def test_the_net_has_the_least_scopes_and_jupyterhub_knows_them():
    role = culling.role()
    assert role["services"] == [culling.SERVICE]
    assert set(role["scopes"]) == {"list:users", "read:users:activity", "read:servers", "delete:servers"}
    assert set(role["scopes"]) <= set(scope_definitions)
