"""Why a start or a stop did not work, in words for the person at the page."""

from jupyterhub.spawner import SpawnException


class SpawnProblem(SpawnException):
    """JupyterHub's own exception for this, without its name and number in front of the message on pages."""

    @property
    def jupyterhub_message(self) -> str:
        return self.message
