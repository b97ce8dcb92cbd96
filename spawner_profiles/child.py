"""The job's spawner inside the profile's. wrapspawner makes it in a way that breaks what it wraps; see the README."""

from __future__ import annotations

from typing import Any

from jupyterhub.spawner import Spawner
from traitlets import directional_link

#: JupyterHub warns whoever touches its session; a configuration is handed over whole.
NOT_SHARED = {"config", "db", "_deprecated_db_session"}


def make_child(wrapper: Spawner, child_class: type[Spawner], settings: dict[str, Any]) -> tuple[Spawner, list]:
    """A spawner that follows ``wrapper``, and the links by which it does: unlink them, or it lives for ever.

    What was configured for the child's own class, and its own defaults where the wrapper has nothing but
    defaults, stay: an address to listen at, or an environment, for instance.
    """
    child = child_class(user=wrapper.user, hub=wrapper.hub, authenticator=wrapper.authenticator,
                        orm_spawner=wrapper.orm_spawner, config=wrapper.config, **settings)
    child.clear_state()
    own = own_sections(child_class, type(wrapper), wrapper.config)
    links = []
    for name in set(wrapper.trait_names()) & set(child.trait_names()) - settings.keys() - NOT_SHARED:
        kept, theirs = getattr(child, name), getattr(wrapper, name)
        links.append(directional_link((wrapper, name), (child, name)))
        if any(name in section for section in own) or (theirs != kept and theirs == wrapper.trait_defaults(name)):
            setattr(child, name, kept)
    return child, links


def own_sections(child_class: type, wrapper_class: type, config) -> list[dict[str, Any]]:
    """What is configured for the classes of the child alone, the most special one last."""
    return [config[cls.__name__] for cls in reversed(child_class.__mro__)
            if not issubclass(wrapper_class, cls) and cls.__name__ in config]


def own_value(child_class: type[Spawner], wrapper_class: type, config, name: str) -> Any:
    """A setting as the child's class has it, before there is a child: JupyterHub asks the wrapper for timeouts."""
    value = child_class.class_traits()[name].default_value
    for section in own_sections(child_class, wrapper_class, config):
        value = section.get(name, value)
    return value
