"""What people see of a fit: progress bars, ``verbose``, reports of the command line, pictures."""
