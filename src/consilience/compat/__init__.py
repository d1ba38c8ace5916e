"""Other libraries' names on Consilience's work: their scripts run here with the import changed."""
