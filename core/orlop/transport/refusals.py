"""Refusals as they travel: an error becomes a status and a `Problem`, and on the other side an error again."""

from orlop.errors import Fenced, OrlopError, TransportError, Unauthenticated
from orlop.transport.messages import Problem, printable


class SessionLost(TransportError):
    """The satellite does not know the session (any more), most likely because it restarted: connect and sync again."""


class NotSynced(TransportError):
    """An `Update` came before the `Sync` it builds on: send a `Sync`."""


def problem(error: Exception) -> tuple[int, Problem]:
    """Status and body that tell of an error."""
    match error:
        case Fenced():
            return 409, Problem(kind="fenced", message=str(error), term=error.term, nonce=error.nonce)
        case SessionLost():
            return 401, Problem(kind="no_session", message=str(error))
        case Unauthenticated():
            return 401, Problem(kind="unauthenticated", message=str(error))
        case NotSynced():
            return 409, Problem(kind="not_synced", message=str(error))
        case TransportError():
            return 400, Problem(kind="bad_message", message=str(error))
        case OrlopError():
            return 422, Problem(kind="failed", message=str(error))
        case _:
            return 400, Problem(kind="bad_message", message=f"the message cannot be understood: {error}")


def error(refused: Problem, where: str) -> TransportError:
    """The error that a proven satellite told of. `where` names it."""
    message = f"{where}: {printable(refused.message)}"
    match refused.kind:
        case "fenced":
            return Fenced(refused.term or 0, refused.nonce or "", message)
        case "not_synced":
            return NotSynced(message)
        case _:
            return TransportError(message)
