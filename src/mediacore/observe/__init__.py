"""What people see of a call: the page, the picture, the terminal."""
