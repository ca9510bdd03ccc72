// One value that several parts of the page show: who changes it needn't know them.
import { useEffect, useState } from "preact/hooks";

export function store(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(next);
    },
    // The value, in a component that is drawn again when it changes.
    use() {
      const [shown, setShown] = useState(value);
      useEffect(() => {
        watchers.add(setShown);
        setShown(value);
        return () => watchers.delete(setShown);
      }, []);
      return shown;
    },
  };
}
