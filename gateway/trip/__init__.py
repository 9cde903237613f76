"""Trip: one payload through all stages; what `gateway.pipeline` runs for every payload it claims."""
