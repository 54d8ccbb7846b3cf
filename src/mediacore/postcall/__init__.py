"""What is made of a call after it ended: the payload and the extraction. Pure functions."""
