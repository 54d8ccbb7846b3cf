"""Provider slots: small streaming Protocols, and the driver that wraps every provider."""
