"""Road users with fields of their own."""
