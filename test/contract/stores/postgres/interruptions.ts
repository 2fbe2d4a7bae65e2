import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import { until } from '../../../support/until.ts';
import type { TestStore } from './purge-support.ts';

/** A moment of a purge is a statement, or a commit. */
export interface Interruption {
  /** Number of the moment, from 1. */
  at: number;
  /** Whose first is the first statement that matches. */
  from: RegExp;
  /** The login is lost: before the moment, after it but before its answer, or not at all. */
  lost: 'no' | 'before' | 'after';
}

export interface Interrupted {
  wrap(connection: Connection): Connection;
  /** Ends once what happened meanwhile has ended. */
  done(): Promise<void>;
}

/** Lets something happen at a moment of a purge that has one login, and takes that login away. */
export function interruptedAt(store: TestStore, { at, from, lost }: Interruption, happens: () => Promise<void>): Interrupted {
  let moments = 0;
  let happened: Promise<void> = Promise.resolve();
  const cut = async (connection: Connection): Promise<void> => {
    const { localPort } = connection.socket;
    await store.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = $1', [localPort]);
    await until('the login is lost', async () => connection.lost());
  };
  const moment = async <T>(connection: Connection, what: string, act: () => Promise<T>): Promise<T> => {
    if (moments > 0 || from.test(what)) moments += 1;
    if (moments !== at || connection.lost()) return act();
    happened = happens();
    // It may wait for a lock of the transaction that is open here.
    await (connection.inTransaction() ? Promise.race([happened, delay(200)]) : happened);
    if (lost === 'before') await cut(connection);
    const result = await act();
    if (lost !== 'after') return result;
    await cut(connection);
    throw new StoreError('Unreachable', 'The answer was lost.');
  };
  return {
    done: () => happened,
    wrap: (connection) => ({
      ...connection,
      query: (text, ...rest) => moment(connection, text, () => connection.query(text, ...rest)),
      transaction: async (work, begin) => {
        const commit = (): Promise<void> => moment(connection, 'COMMIT', async () => undefined);
        const result = await connection.transaction(async () => {
          const answer = await work();
          if (lost !== 'after') await commit();
          return answer;
        }, begin);
        if (lost === 'after') await commit();
        return result;
      },
    }),
  };
}
