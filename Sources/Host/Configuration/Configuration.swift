// Host/Configuration:Configuration
