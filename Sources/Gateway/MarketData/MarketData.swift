// Gateway/MarketData:MarketData
