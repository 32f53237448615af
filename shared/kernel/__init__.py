"""What both services stand on, of the standard library only: clock, ids, errors, tenancy."""
