"""Hard limits and gates: prices, budgets, end of call, read-back, redaction. Pure functions."""
