"""The networks and their runtimes."""
