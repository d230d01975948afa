"""The outside world over real HTTP: model provider, WhatsApp Cloud, WAHA, signed HTTP channel, and a phone.

Runs as its own process (`python -m pipeline.simulator`), holds everything in memory, imports nothing of Zupa.
`telegram_api` is the name kept for the platform to come: it adds its routes in `app.py` and its target in
`faults.TARGETS`.
"""
