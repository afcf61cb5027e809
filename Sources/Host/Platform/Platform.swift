// Host/Platform:Platform
