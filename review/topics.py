"""What the console's pages listen to, beside the conversations themselves."""

REVIEWS = "reviews"
"""Something in the review inbox changed."""
