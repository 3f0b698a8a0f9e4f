"""What runs inside a guest: a metadata service for an agent whose cloud tells by another channel. Stdlib only.

Packed into one file and put into the image by ``golden_flows.shims.metadata``; see docs/decisions/0009.
"""
