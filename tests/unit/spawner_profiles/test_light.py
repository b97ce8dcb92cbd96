"""Every notebook server pays for what its start script imports."""

import subprocess
import sys


def test_the_start_script_imports_the_standard_library_only():
    heavy = "jupyterhub batchspawner wrapspawner pydantic sqlalchemy requests tornado"
    code = ("import sys, spawner_profiles.singleuser\n"
            f"sys.exit(' '.join(name for name in {heavy.split()} if name in sys.modules) or 0)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_hubs_database_layer_is_not_imported_and_still_there_for_whoever_needs_it():
    code = """if True:
        import gc, os, sys
        from spawner_profiles.singleuser import light_imports
        path = os.environ["PATH"]
        with light_imports():
            from jupyterhub.log import log_request
            from jupyterhub.services.auth import HubOAuth
        assert not {"sqlalchemy", "alembic", "jupyterhub.orm"} & sys.modules.keys()
        assert os.environ["PATH"] == path and gc.isenabled()
        from jupyterhub import orm
        from jupyterhub.handlers.pages import HealthCheckHandler
        assert orm.User.__tablename__ == "users" and HealthCheckHandler.get
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
