"""Servers as jobs of a cluster: profiles, schedulers, the spawner. Light to import: nodes load it too."""
