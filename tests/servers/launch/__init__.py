"""How each real server is installed into a temporary directory and started there."""
