"""The only place that knows the vendors' SDKs."""
