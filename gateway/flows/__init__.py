"""What the trade decides, one file a flow, in folders by family; `discovery` finds every `Flow` in them."""
