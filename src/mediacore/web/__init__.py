"""HTTP towards the services of a call: guarded addresses, capped bodies, deadlines, signatures."""
