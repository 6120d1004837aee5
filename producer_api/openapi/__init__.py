"""What the API says of itself: a description beside each route, made of the definitions that validate and answer."""
