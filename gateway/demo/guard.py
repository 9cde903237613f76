"""Sees to it that nothing that was started outlives who started it, also where that is killed and can end nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

_WATCH = 'while read -r one; do all="$all $one"; done; for one in $all; do kill -9 "$one"; done 2>/dev/null'
"""Gathers processes (or groups, with a minus) until its input ends, as it does when whoever holds it is gone."""
_NAME = 'echo "$1$$" >&0; shift; exec "$@" </dev/null'
"""Names itself to the watch, lets go of the watch's input, and becomes the command. Until then it holds that input,
so that the watch cannot come to its end between the start of a process and its name."""


class Guard:
    """A small process of its own that outlives us by a moment, and ends what was started under it."""

    def __init__(self) -> None:
        """It starts at once."""
        reading, self.handle = os.pipe()
        """To be the `stdin` of each process that is started."""
        self._watch = subprocess.Popen(  # noqa: S603 -- every word of it stands here
            ["/bin/sh", "-c", _WATCH],
            stdin=reading,
            start_new_session=True,  # Ctrl-C, and whatever ends our group, must not reach it
        )
        os.close(reading)

    def guarded(self, command: Sequence[str], *, group: bool = False) -> list[str]:
        """`command`, to be started so that it ends with us; with the group that it leads, where it leads one."""
        return ["/bin/sh", "-c", _NAME, "sh", "-" if group else "", *command]

    def dismiss(self) -> None:
        """Everything has ended in good order."""
        self._watch.kill()
        self._watch.wait()
        os.close(self.handle)
