"""Ways for audio in and out: RTP, loopback, files. Packets and PCM only, no decisions."""
