"""The command that pushes to the Hub."""
