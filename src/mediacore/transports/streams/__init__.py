"""Media streams over WebSocket: the server that providers and switches dial."""
