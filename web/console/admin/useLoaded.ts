import { useCallback, useEffect, useRef, useState } from "react";

export interface Loaded<T> {
  /** null until read. */
  readonly value: T | null;
  readonly error: unknown;
  readonly loading: boolean;
  /** Reads again; what was read before stays until then. */
  readonly reload: () => Promise<void>;
  readonly set: (value: T) => void;
}

/** Something read from the server when the page opens. */
export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; error: unknown; loading: boolean }>({ value: null, error: null, loading: true });
  const current = useRef(load);
  const round = useRef(0);
  current.current = load;
  const reload = useCallback(async () => {
    const mine = ++round.current;
    setState((before) => ({ ...before, loading: true }));
    try {
      const value = await current.current();
      if (mine === round.current) setState({ value, error: null, loading: false });
    } catch (error) {
      if (mine === round.current) setState((before) => ({ ...before, error, loading: false }));
    }
  }, []);
  useEffect(() => {
    void reload();
    return () => {
      round.current += 1;
    };
  }, [reload]);
  const set = useCallback((value: T) => setState({ value, error: null, loading: false }), []);
  return { ...state, reload, set };
}
