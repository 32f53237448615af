"""The executor on the wire: maps what comes in, calls the application, maps what goes out."""
