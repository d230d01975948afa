"""What all pages of the staff's admin share. It lives in the lowest app because every app's admin uses it."""
