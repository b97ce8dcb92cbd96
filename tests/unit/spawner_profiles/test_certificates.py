"""JupyterHub's own certificates, handed to another account. With a hub and a job: tests/integration."""

import asyncio
import os
import pwd
import ssl
from types import SimpleNamespace

import pytest
from certipy import Certipy

from spawner_profiles import certificates
from spawner_profiles.problems import SpawnProblem
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import ProfileSpawner

CATALOG = [Profile(key="cpu", title="CPU", partition="cpu")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home of an account that is not ours."""
    if os.getuid():
        pytest.fail("needs root, as the hub has it")
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
        folder.chmod(0o755)
    account = SimpleNamespace(pw_name="nobody", pw_uid=nobody.pw_uid, pw_gid=nobody.pw_gid, pw_dir=str(home),
                              pw_shell="/bin/sh")
    monkeypatch.setattr(certificates.pwd, "getpwnam", lambda name: account)
    return home


@pytest.fixture
def spawner(new_spawner, tmp_path):
    store = tmp_path / "store"
    bundles = Certipy(store_dir=str(store)).trust_from_graph({"hub-ca": ["notebooks-ca"], "notebooks-ca": ["hub-ca"]})
    spawner = new_spawner(ProfileSpawner, config={"ProfileSpawner": {"catalog": CATALOG}}, internal_ssl=True,
                          internal_certs_location=str(store), internal_trust_bundles=bundles)
    spawner.clear_state()
    return spawner


def move(spawner):
    async def as_jupyterhub_does():
        return await spawner.move_certs(await spawner.create_certs())

    spawner.cert_paths = asyncio.run(as_jupyterhub_does())
    return spawner.cert_paths


def test_the_job_gets_files_that_its_user_alone_can_read(spawner, home):
    for _ in range(2):  # a second start replaces them
        paths = move(spawner)
    for path in (*paths.values(), home / ".mandrillhub", home / ".mandrillhub/ssl"):
        status = os.stat(path)
        assert status.st_uid == os.stat(home).st_uid and status.st_mode & 0o077 == 0, path
    environment = spawner.construct_child().get_env()
    context = ssl.create_default_context(cafile=environment["JUPYTERHUB_SSL_CLIENT_CA"])
    context.load_cert_chain(environment["JUPYTERHUB_SSL_CERTFILE"], environment["JUPYTERHUB_SSL_KEYFILE"])
    assert environment["JUPYTERHUB_SSL_KEYFILE"].startswith(str(home))
    assert environment["JUPYTERHUB_SERVICE_URL"].startswith("https://")


def test_links_in_a_home_are_followed_with_the_rights_of_their_owner(spawner, home, tmp_path):
    theirs = tmp_path / "roots-own"
    (theirs / "ssl").mkdir(parents=True)
    (theirs / "ssl/keyfile").write_text("secret")
    (home / ".mandrillhub").symlink_to(theirs)
    with pytest.raises(SpawnProblem, match="could not be written"):
        move(spawner)
    assert (theirs / "ssl/keyfile").read_text() == "secret" and os.listdir(theirs / "ssl") == ["keyfile"]
    assert {os.stat(path).st_uid for path in (theirs, theirs / "ssl", theirs / "ssl/keyfile")} == {0}
