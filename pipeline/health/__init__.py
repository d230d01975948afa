"""How the machine is doing: for probes, for monitoring and for the person who is on call."""
