// Log/Link:Link
