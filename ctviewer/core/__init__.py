"""What every other layer speaks of: volumes, geometry, findings, events and errors. numpy and the standard library only."""
