"""What this slice alone refuses."""

from apex_server.errors import Conflict

__all__ = ["ThreadEncrypted"]


class ThreadEncrypted(Conflict):
    """What is said in this thread is encrypted by the device that says it, and this was not."""

    code = "thread_encrypted"
    title = "This thread is end-to-end encrypted, and the server cannot encrypt for you."
    next_step = "Send it from the app: only the devices of the two people have keys."
