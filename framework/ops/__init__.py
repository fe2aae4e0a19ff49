"""The operations, one family a file. Each is defined once: checks, value, gradient, cost."""
