"""The hub: settings, accounts, pages, the embedded cluster and the command line."""
