"""What the executor uses of the outside: runners of Python tools, toolboxes, telemetry."""
