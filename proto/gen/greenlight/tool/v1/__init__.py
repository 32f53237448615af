"""Generated from proto/greenlight; never edited."""
