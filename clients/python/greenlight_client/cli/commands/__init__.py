"""The commands, a file for each kind of thing that somebody wants to do."""
