// Gateway/SpotAPI:SpotAPI
