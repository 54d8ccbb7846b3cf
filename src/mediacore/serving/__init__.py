"""From a configuration file to open listeners: reading, checking, assembling."""
