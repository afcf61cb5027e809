"""Points an unmodified ccxt client at the exchange under test, by its own settings alone."""


def pointed(kind, venue, account=None):
    """A client of class `kind`, with an account's keys or with none."""
    client = kind({"enableRateLimit": False, "timeout": 15000})
    if account is not None:
        client.apiKey, client.secret = venue.key(account)
    rest = {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1",
            "fapiPublic": "/fapi/v1", "dapiPublic": "/dapi/v1"}
    client.urls["api"].update({name: venue.url + path for name, path in rest.items()})
    if "ws" in client.urls["api"]:
        # Streams have a host name of their own, as with Binance. ccxt recognises spot streams by
        # "/stream" in the URL, usually in that name; here it is an unknown stream, as is the number
        # that ccxt appends.
        stream = venue.url.replace("http://127.0.0.1", "ws://localhost")
        client.urls["api"]["ws"]["spot"] = stream + "/ws/stream"
        client.urls["api"]["ws"]["ws-api"]["spot"] = stream + "/ws-api/v3"
    return client
