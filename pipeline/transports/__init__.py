"""One module per kind of channel: how it signs, what it says, how it is spoken to, what its errors mean."""
