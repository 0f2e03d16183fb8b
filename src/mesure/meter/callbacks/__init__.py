"""What gateways of others tell of each call they passed on."""
