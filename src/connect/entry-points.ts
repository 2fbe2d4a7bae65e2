import type { Register } from './register.ts';

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

/** Readings by namespace. One in which nothing declares personal data any more is forgotten. */
export type EntryPointRegister = Register<EntryPointsReading>;

/** Seconds between two looks at the entry points of a namespace. */
export const ENTRY_POINTS_SECONDS = 600;
