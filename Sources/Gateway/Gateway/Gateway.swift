// Gateway/Gateway:Gateway
