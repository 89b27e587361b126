"""Measures how fast Tidegate is and what it costs, on a real control plane with stand-ins for all that serves."""
