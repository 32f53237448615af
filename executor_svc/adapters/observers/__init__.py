"""Who is told of calls that ended."""
