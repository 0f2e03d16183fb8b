"""HTTP/1.1 on httptools' parser, both sides: what every message must be before anything of it is used.

- `refusal`     answers of this server itself, in the shape that OpenAI's clients turn into their own exceptions
- `exchange`    one request received, and the writing of its answer
- `reading`     bytes of a client made into requests, within limits
- `connection`  a client's connection: order of answers, keep-alive, deadlines, departure
- `serving`     what all connections share: who answers what, limits, the graceful stop
- `deadlines`   of many connections, at the cost of none
- `asgi`        an ASGI application as one that answers
- `outgoing`    a connection to another server: one request, its answer piece by piece
- `dialing`     opening one: names, addresses, TLS, proxies
- `pool`        connections kept for the next request, and when a request may be sent again
"""
