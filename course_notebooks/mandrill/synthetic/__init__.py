"""Synthetic mandrill faces in the layout of the Mandrillus Face Database.

They stand in where the real photos are not on the machine. The folder's marker
(`SYNTHETIC.json`) makes the course say "synthetic faces" on every figure.
"""

from .write import Parameters, draw_set

__all__ = ["Parameters", "draw_set"]
