"""A pretended GPU that takes its time like a real one, to practise timing where there is none."""

import time


class PretendGPU:
    """Accepts work at once and does it later, one piece after the other. It computes nothing.

    Each piece takes `seconds`; the first takes `first` seconds, as a real GPU's does, which has to wake up and load
    programs; the pieces numbered in `slow` (from 0) take `first` seconds, too.
    """

    def __init__(self, seconds: float = 0.05, first: float = 0.5, slow: tuple[int, ...] = ()):
        self.seconds, self.first, self.slow = seconds, first, {0, *slow}
        self.pieces = 0
        self._done_at = 0.0

    def work(self) -> None:
        """Put one piece of work in the queue. Returns before it is done."""
        takes = self.first if self.pieces in self.slow else self.seconds
        self._done_at = max(self._done_at, time.perf_counter()) + takes
        self.pieces += 1

    def wait(self) -> None:
        """Return when the queue is empty, as `torch.cuda.synchronize` does."""
        while (left := self._done_at - time.perf_counter()) > 0:
            time.sleep(left)
