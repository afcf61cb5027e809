// Log/Journal:Journal
