"""What is asked of a batch, run where the batch is: here, or at the orchestrator that has it."""
