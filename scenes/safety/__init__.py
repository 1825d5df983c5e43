"""How near road users came to each other: definitions and measures."""
