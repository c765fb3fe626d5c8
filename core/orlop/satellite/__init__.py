"""Makes one node match what the controller wants: look, decide, act, report."""
