"""Kernels: one folder each, and the builder."""
