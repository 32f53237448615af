"""How tools written in Python are run: on the event loop, or on a thread."""
