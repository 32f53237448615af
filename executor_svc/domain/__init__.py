"""What an executor is about, pure: tools, calls, outcomes, digests, slots."""
