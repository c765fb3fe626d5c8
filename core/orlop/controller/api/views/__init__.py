"""From the picture and the reports to the bodies of answers. Pure; nothing here waits or asks a satellite."""
