"""WhatsApp Cloud API. Facts: Meta's webhook and message references, collected in the project's protocol notes."""
