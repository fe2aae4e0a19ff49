"""Tier 2 of the contract: structured operations, each composed here from Tier 1 methods.

A backend with a faster kernel overrides the method; nothing else announces it.
"""
