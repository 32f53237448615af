"""Text of tools, made fit for the wire: a lone surrogate or an endless message must not spoil a frame of others."""


def clean(text: str, limit: int) -> str:
    """Cut to `limit` characters; what UTF-8 cannot say becomes a question mark."""
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def describe(error: BaseException, limit: int) -> str:
    """`Type: message`, also where the error's own __str__ fails."""
    name = type(error).__name__
    try:
        said = str(error)
    except Exception:
        said = "(its message cannot be read)"
    return clean(f"{name}: {said}" if said else name, limit)
