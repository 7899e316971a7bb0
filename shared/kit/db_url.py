"""What a PostgreSQL URL says: the driver by its name, and TLS in libpq's words."""

import ssl

import sqlalchemy as sa


def sqlalchemy_url(url: str) -> sa.URL:
    """A plain postgresql:// URL with the asyncpg driver named; what it says of TLS is read by `tls_of`."""
    plain = sa.make_url(url).set(drivername="postgresql+asyncpg")
    return plain.difference_update_query(["sslmode", "sslrootcert"])


def tls_of(url: str) -> ssl.SSLContext | bool | None:
    """What `sslmode` and `sslrootcert` of a URL ask for, as libpq means them; None: TLS where the server has it.

    Raises:
        ValueError: a word that is no mode.
    """
    said = sa.make_url(url).query
    mode, authority = said.get("sslmode"), said.get("sslrootcert")
    if mode in {None, "prefer", "allow"}:
        return None
    if mode == "disable":
        return False
    if mode not in {"require", "verify-ca", "verify-full"}:
        raise ValueError("sslmode in WUGAN_DATABASE_URL must be disable, prefer, require, verify-ca or verify-full")
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    context.check_hostname = mode == "verify-full"
    if mode == "require" and not authority:
        context.verify_mode = ssl.CERT_NONE
    return context
