// Gateway/History:History
