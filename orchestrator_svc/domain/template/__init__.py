"""Templates: named, versioned, parameterised batches. Pure; where their text comes from is the adapters' matter."""
