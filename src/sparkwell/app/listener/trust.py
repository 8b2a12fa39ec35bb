"""How a client on this machine checks its own gateway: by the very certificate it serves with."""

import ssl

from sparkwell.core.errors import EnvironmentFault


def trust_by(certificate: str | None) -> ssl.SSLContext | bool:
    """What aiohttp takes as ``ssl`` for a gateway that serves with this file; None: plain http.

    Its name is not compared: 127.0.0.1 stands in few certificates. The certificate is enough,
    also where it was signed by another one: that one need not be in the file.
    Raises EnvironmentFault where the file cannot be read.
    """
    if certificate is None:
        return True
    try:
        context = ssl.create_default_context(cafile=certificate)
    except OSError as error:
        raise EnvironmentFault(
            f"The gateway's certificate {certificate} cannot be read: {error.strerror or error}.",
            hint="Whoever asks this machine's own gateway has to be able to read that file.",
        ) from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context
