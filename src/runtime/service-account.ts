import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Authenticator, Credentials } from './auth.ts';
import type { Clock } from './clock.ts';

/** Where Kubernetes mounts token, certificate authority and namespace into a pod. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Tokens are replaced on disk before they run out, and the authority's certificate when it changes. */
const HOLD_MS = 30_000;

export interface ServiceAccountOptions {
  /** `https://10.96.0.1:443` */
  server: string;
  /** Folder with the files `token` and `ca.crt`. */
  dir: string;
  clock: Clock;
}

/**
 * Lets a pod in as its service account. Two files are all there is to read, and reading them here spares the operator
 * the library for kubeconfigs, which brings the types of every kind of Kubernetes and takes 70 MB.
 */
export function serviceAccount({ server, dir, clock }: ServiceAccountOptions): Authenticator {
  let held: { value: Credentials; at: number } | undefined;
  return {
    server: new URL(server),
    invalidate() {
      held = undefined;
    },
    async credentials() {
      if (held !== undefined && clock.monotonic() - held.at < HOLD_MS) return held.value;
      const [token, ca] = await Promise.all([read(path.join(dir, 'token')), read(path.join(dir, 'ca.crt'))]);
      const value = bearer(token.trim(), ca);
      held = { value, at: clock.monotonic() };
      return value;
    },
  };
}

/** Lets somebody in by a token that stays the same, at a server of this certificate authority alone. */
export function tokenAccess(options: { server: string; caPem: string; token: string }): Authenticator {
  const value = bearer(options.token, options.caPem);
  return { server: new URL(options.server), invalidate: () => undefined, credentials: async () => value };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} of the service account cannot be read (${(error as NodeJS.ErrnoException).code}); is it mounted into the pod?`, { cause: error });
  }
}

function bearer(token: string, ca: string): Credentials {
  return { headers: { Authorization: `Bearer ${token}` }, tls: { ca } };
}
