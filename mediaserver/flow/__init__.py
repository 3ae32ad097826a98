"""One stream's policy: what to do with a packet, decided from values and ``now``; no sockets, clocks or
tasks."""
