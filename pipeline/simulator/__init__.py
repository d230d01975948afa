"""The outside world over real HTTP: model provider, WhatsApp Cloud, signed HTTP channel, and a phone.

Runs as its own process (`python -m pipeline.simulator`), holds everything in memory, imports nothing of Zupa.
`telegram_api` and `waha_api` are the names kept for the two platforms to come: each adds its routes in
`app.py` and its target in `faults.TARGETS`.
"""
