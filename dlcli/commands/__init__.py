"""The task behind each verb: (settings, run) -> Result. The one place where rooms meet."""
