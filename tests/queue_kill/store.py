"""What the processes of this test write into: the outside world of the workers, which refuses an older fence than it has seen, and the
record of what each said and heard, in one order. It is a file of SQLite's: a process that is killed leaves a whole record."""
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS world (task TEXT PRIMARY KEY, fence INTEGER, worker TEXT);
CREATE TABLE IF NOT EXISTS record (n INTEGER PRIMARY KEY, kind TEXT, task TEXT, fence INTEGER, word TEXT, status INTEGER, more TEXT);
"""


class Store:
    def __init__(self, path):
        self.base = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=OFF")  # processes die here, the machine doesn't
        self.base.executescript(SCHEMA)

    def note(self, kind, task="", fence=0, word="", status=0, more=""):
        self.base.execute("INSERT INTO record (kind, task, fence, word, status, more) VALUES (?, ?, ?, ?, ?, ?)",
                          (kind, task, fence, word, status, more))

    def write(self, task, fence, worker):
        """Does the work of a task; False: somebody with a later lease has done so."""
        self.base.execute("BEGIN IMMEDIATE")
        done = self.base.execute("INSERT INTO world VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE SET fence = excluded.fence,"
                                 " worker = excluded.worker WHERE excluded.fence >= world.fence", (task, fence, worker)).rowcount == 1
        self.note("wrote" if done else "refused", task, fence, worker)
        self.base.execute("COMMIT")
        return done

    def world(self):
        return {task: fence for task, fence in self.base.execute("SELECT task, fence FROM world")}

    def records(self):
        columns = ("kind", "task", "fence", "word", "status", "more")
        return [dict(zip(columns, row)) for row in self.base.execute("SELECT kind, task, fence, word, status, more FROM record ORDER BY n")]
