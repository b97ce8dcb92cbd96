"""nbgrader on the platform: who may do what, the exchange, and grading as jobs of the cluster."""
