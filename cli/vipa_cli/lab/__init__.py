"""``vipa lab``: a LAN with agents, and a prompt to break it at."""
