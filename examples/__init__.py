"""Examples that run: templates with their tools. Not part of any wheel."""
