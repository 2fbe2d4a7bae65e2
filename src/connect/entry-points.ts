/** How an entry point answered. A field is absent when there was no clear answer. */
export interface EntryPointAnswer {
  /** To a TLS handshake of version 1.2 or newer under its host. */
  https?: 'Served' | 'OtherName' | 'Refused';
  /** To a request without TLS. */
  http?: 'Closed' | 'Redirects' | 'Open';
  /** Seconds of Strict-Transport-Security; 0 when it is not sent. */
  hstsMaxAge?: number;
}

export interface EntryPointReading extends EntryPointAnswer {
  /** Kind, namespace/name and host. */
  name: string;
  /** Its object asks for TLS. */
  tls: boolean;
  /** What was asked, and when: milliseconds. */
  question: string;
  at: number;
}

/** The entry points of one namespace, as they answered. */
export interface EntryPointsReading {
  /** When the one that was asked longest ago was asked; milliseconds. */
  at: number;
  /** False: there are more than those that were asked. */
  complete: boolean;
  points: EntryPointReading[];
}

/** Readings by namespace: written by whoever asks, read by whoever judges. */
export interface EntryPointRegister {
  get(namespace: string): EntryPointsReading | undefined;
  put(namespace: string, reading: EntryPointsReading): void;
  /** Nothing in the namespace declares personal data any more. */
  forget(namespace: string): void;
}

/** Seconds between two looks at the entry points of a namespace. */
export const ENTRY_POINTS_SECONDS = 600;

export function createEntryPointRegister(): EntryPointRegister {
  const known = new Map<string, EntryPointsReading>();
  return {
    get: (namespace) => known.get(namespace),
    put: (namespace, reading) => void known.set(namespace, reading),
    forget: (namespace) => void known.delete(namespace),
  };
}
