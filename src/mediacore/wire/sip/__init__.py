"""SIP without I/O: messages, transactions, dialogs. Time and ids are arguments."""
