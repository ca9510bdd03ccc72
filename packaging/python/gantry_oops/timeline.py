"""What a request did and when: actions of a category with a detail, as the rows of a report's `timeline`."""
import threading
import time
import traceback


class OverlappingAction(Exception):
    """An action began while another that doesn't nest was still running."""


class Action:
    """Between start and finish. Also a context manager."""

    def __init__(self, timeline, category, detail, nests, start_ms, stack):
        self.timeline, self.category, self.detail, self.nests, self.stack = timeline, category, detail, nests, stack
        self.start_ms, self.end_ms = start_ms, None
        self.held_others = False

    def finish(self):
        self.timeline._finish(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.finish()


class Timeline:
    """Times are milliseconds since it was made. Keeps the first `actions_max`; `dropped` counts the others. `stacks`: each row also holds
    the stack at its start, which costs time."""

    def __init__(self, actions_max=1000, stacks=False, clock=time.monotonic):
        self._clock, self._zero, self._stacks, self._max = clock, clock(), stacks, actions_max
        self._lock = threading.Lock()
        self._actions, self._running = [], []
        self.dropped = 0

    def action(self, category, detail="", nests=False):
        """Begins one. While it runs another may begin only if it nests: else OverlappingAction."""
        stack = "".join(traceback.format_stack()[:-1]) if self._stacks else None
        with self._lock:
            if self._running and not self._running[-1].nests:
                raise OverlappingAction(f"{category} began within {self._running[-1].category}")
            for outer in self._running:
                outer.held_others = True
            begun = Action(self, category, detail, nests, self._now_ms(), stack)
            self._running.append(begun)
            if len(self._actions) < self._max:
                self._actions.append(begun)
            else:
                self.dropped += 1
            return begun

    start = action

    def rows(self):
        """[start_ms, end_ms, category, detail(, stack)] in the order of time; what still runs ends now. An action that held others is two
        rows without length, CATEGORY-start and CATEGORY-stop."""
        with self._lock:
            return sorted((row for action in self._actions for row in self._rows_of(action)), key=lambda row: row[0])

    def _rows_of(self, action):
        end_ms = self._now_ms() if action.end_ms is None else action.end_ms
        more = [action.stack] if action.stack else []
        if not action.held_others:
            return [[action.start_ms, end_ms, action.category, action.detail, *more]]
        return [[action.start_ms, action.start_ms, action.category + "-start", action.detail, *more],
                [end_ms, end_ms, action.category + "-stop", action.detail]]

    def _finish(self, action):
        with self._lock:
            if action.end_ms is None:
                action.end_ms = self._now_ms()
                self._running.remove(action)

    def _now_ms(self):
        return round((self._clock() - self._zero) * 1000)
