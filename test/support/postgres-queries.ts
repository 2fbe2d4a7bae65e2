import pg from 'pg';

export type Query = <Row extends pg.QueryResultRow>(sql: string, params?: readonly unknown[], database?: string) => Promise<Row[]>;

export interface Queries {
  /** One statement, or several without params, on a connection of its own (about 20 ms of processor time). */
  readonly once: Query;
  /**
   * The same on a connection that the next question to this database finds again (about 1 ms): a loop that looks every
   * 50 ms would otherwise work more than what it looks at. It comes as if new, without settings, locks or temporary tables
   * of the question before. It counts among the sessions of its database until it has been idle for `idleMs`.
   */
  readonly kept: Query;
  /** Ends what is idle, of one database or all of them. */
  drop(database?: string): Promise<void>;
}

interface Idle {
  readonly database: string;
  readonly client: pg.Client;
  readonly timer: NodeJS.Timeout;
}

/** @param connection what a client needs for a database */
export function createQueries(connection: (database: string | undefined) => pg.ClientConfig, idleMs = 500): Queries {
  const idle: Idle[] = [];
  const open = async (database: string | undefined): Promise<pg.Client> => {
    const client = new pg.Client(connection(database));
    client.on('error', () => forget(client)); // a server that stops under us also fails the query that runs
    await client.connect();
    return client;
  };
  const forget = (client: pg.Client): void => {
    const at = idle.findIndex((each) => each.client === client);
    if (at !== -1) clearTimeout(idle.splice(at, 1)[0]?.timer);
  };
  const end = async (client: pg.Client): Promise<void> => {
    forget(client);
    await client.end().catch(() => undefined);
  };
  /** The one that came back last: one that was ended by the question before may not know it yet. */
  const take = (database: string): pg.Client | undefined => {
    const client = idle.findLast((each) => each.database === database)?.client;
    if (client) forget(client);
    return client;
  };
  /** What is in a transaction cannot be made as new, and is ended. */
  const giveBack = async (database: string, client: pg.Client): Promise<void> => {
    const asNew = await client.query('DISCARD ALL').then(() => true, () => false);
    if (!asNew) return end(client);
    const timer = setTimeout(() => void end(client), idleMs).unref();
    idle.push({ database, client, timer });
  };
  return {
    async once(sql, params, database) {
      const client = await open(database);
      try {
        return await rowsOf(client, sql, params);
      } finally {
        await end(client);
      }
    },
    async kept(sql, params, database = 'postgres') {
      const client = take(database) ?? (await open(database));
      try {
        return await rowsOf(client, sql, params);
      } finally {
        await giveBack(database, client);
      }
    },
    async drop(database) {
      await Promise.all(idle.filter((each) => database === undefined || each.database === database).map(({ client }) => end(client)));
    },
  };
}

async function rowsOf<Row extends pg.QueryResultRow>(client: pg.Client, sql: string, params: readonly unknown[] | undefined): Promise<Row[]> {
  const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await client.query<Row>(sql, params === undefined ? undefined : [...params]);
  return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
}
