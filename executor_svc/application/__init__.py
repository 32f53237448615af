"""What the executor does: it admits calls, runs them side by side, and says how each ended."""
