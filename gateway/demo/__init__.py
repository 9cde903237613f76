"""The demo: a gateway and simulated partners in processes of their own, every sample sent, every outcome judged.

plan      what is sent, from whom, and what must come of it (samples/partners/scenarios.toml)
house     the processes, their files, and their end
watch     reads over the REST interface what became of each case
judge     what is missing
proof     the receipt log, verified as a stranger would
show      the timelines and the summary, for people
"""
