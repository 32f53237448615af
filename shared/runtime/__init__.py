"""What both services run on: gRPC servers and channels, errors on the wire, the process, telemetry."""
