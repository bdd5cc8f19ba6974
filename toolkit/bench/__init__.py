"""Benchmarks against a peer in the same run: what `launch.py bench` measures and how its numbers are made."""
