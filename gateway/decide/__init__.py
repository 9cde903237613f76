"""Decide: the engine that all flows stand on, and what a flow is made of.

A flow is a pure function of a `Desk` (desk.py): it reads facts (facts.py) and gives effects (effects.py). What effects
mean for cases, waiting documents and ledgers is said once (apply.py). The engine (engine.py) runs a flow and what
others do about it. This room knows no flow: they declare themselves (flow.py) and are found (`gateway.discovery`).
"""
