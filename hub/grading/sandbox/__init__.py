"""Submitted notebooks are executed as jobs of the cluster, each in a box of its own. Start with service.py.

execute.py (nbgrader's process, as the course account) sends a notebook to service.py (root), which has it run by
driver.py (a job of the sandbox account), whose kernel lives in the box of box.py.
"""
