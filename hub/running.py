"""What the hub was started with: the checked workshop, its people, and what this machine added."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from hub.files import write_file
from hub.layout import Layout
from hub.people import Person
from hub.problems import Stop
from hub.workshop import Workshop


class Running(BaseModel):
    """Kept as JSON in the state directory, so that hub, ``status`` and ``down`` agree, whatever is edited."""

    workshop: Workshop
    people: list[Person]
    #: GPU nodes are emulated: this machine has no NVIDIA GPU.
    emulated: bool
    #: The course's photos.
    data: Path

    @classmethod
    def read(cls, layout: Layout) -> Running:
        try:
            return cls.model_validate_json(layout.running.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Stop(f"nothing was started under {layout.root} yet; start it with `make up`") from None
        except ValidationError:
            raise Stop(f"{layout.running} is of another version of MandrillHub.\n"
                       "Next: `make up` with this one, which writes it anew.") from None

    @staticmethod
    def kind(layout: Layout) -> str:
        """The kind of cluster that the hub was started with, by whatever version."""
        return json.loads(layout.running.read_text(encoding="utf-8"))["workshop"]["cluster"]["kind"]

    def write(self, layout: Layout) -> None:
        write_file(layout.running, self.model_dump_json(indent=1))
