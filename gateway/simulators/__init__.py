"""Simulators: partners for the demo and for integrators' own tests.

They use public transports only and share no code with the gateway: each reads what it gets with a
reader of its own and answers as its role would, so that what they accept, a stranger accepts too.
"""
