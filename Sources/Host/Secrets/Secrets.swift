// Host/Secrets
