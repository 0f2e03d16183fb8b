"""From the world to records: wires, sensors, imports."""
