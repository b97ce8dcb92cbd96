"""How a class starts: ours, stock batchspawner, and the same jobs without a hub. See __main__.py."""
