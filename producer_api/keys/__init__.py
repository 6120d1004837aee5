"""Who may ask what: keys, roles, sessions, rates, and requests that other sites' pages make. Off unless KEYS is on."""
