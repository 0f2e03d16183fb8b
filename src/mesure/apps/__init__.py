"""What people run: gateway, pages, commands, demo, and the server around them. The only room with frameworks."""
