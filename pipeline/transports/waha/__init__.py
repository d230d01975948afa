"""WAHA: WhatsApp Web behind an HTTP API. Facts: WAHA's documentation and sources, in the project's protocol notes."""
