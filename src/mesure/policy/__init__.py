"""Budgets, forecasts, leases of hard budgets, alerts and how they are told. It informs unless asked to block."""
