import { createServer, connect as dial } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { TestPostgres } from '../../../support/postgres.ts';

export interface Pooler {
  port: number;
  close(): void;
}

export interface PoolerOptions {
  dropOptions?: boolean;
  /** Tells the client a process id of its own making, since many of the server's will work for it. */
  ownKeys?: boolean;
}

/**
 * What a connection pooler is to a client: it ends TLS itself, speaks plain text to the server behind it, and may
 * drop startup options it does not know.
 */
export async function startPooler(server: TestPostgres, { dropOptions = false, ownKeys = false }: PoolerOptions): Promise<Pooler> {
  const certificate = await server.ca.issue({ commonName: 'localhost', sans: ['localhost'] });
  const sockets = new Set<Socket>();
  const listener = createServer((inbound) => {
    sockets.add(inbound);
    inbound.on('error', () => undefined);
    inbound.once('data', () => {
      inbound.write('S');
      const client = new TLSSocket(inbound, { isServer: true, cert: certificate.certPem, key: certificate.keyPem });
      client.on('error', () => undefined);
      client.once('data', (startup: Buffer) => {
        const outbound = dial(server.port, server.host);
        sockets.add(outbound);
        outbound.on('error', () => client.destroy());
        outbound.write(dropOptions ? withoutOptions(startup) : startup);
        client.pipe(outbound);
        if (ownKeys) outbound.on('data', (answer: Buffer) => client.write(withOtherKey(answer)));
        else outbound.pipe(client);
      });
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

/** A StartupMessage is its length, the protocol's version, then names and values each ended by NUL, and a last NUL. */
function withoutOptions(startup: Buffer): Buffer {
  const fields = startup.subarray(8, startup.readInt32BE(0) - 2).toString('utf8').split('\0');
  const kept = fields.flatMap((name, index) => (index % 2 === 0 && name !== 'options' ? [name, fields[index + 1] ?? ''] : []));
  const body = Buffer.from(`${kept.join('\0')}\0\0`);
  const head = Buffer.from(startup.subarray(0, 8));
  head.writeInt32BE(8 + body.length, 0);
  return Buffer.concat([head, body]);
}

/** A BackendKeyData is K, its length, the process id and a secret. The server sends it whole, after the login. */
function withOtherKey(answer: Buffer): Buffer {
  const at = answer.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at < 0) return answer;
  const changed = Buffer.from(answer);
  changed.writeInt32BE(answer.readInt32BE(at + 5) + 1, at + 5);
  return changed;
}
