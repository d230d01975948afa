"""The generic channel: webhooks signed by Standard Webhooks, in both directions."""
