import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { Cluster, KubeConfig } from '@kubernetes/client-node';
import type { Clock } from './clock.ts';

/** What a request needs to be let in. Never logged. */
export interface Credentials {
  headers: Record<string, string>;
  /** TLS members of https.RequestOptions: ca, cert, key, servername, rejectUnauthorized. */
  tls: RequestOptions;
  /** Only with a proxy: the agent that goes through it. */
  proxyAgent?: Agent;
}

/** Where an API server is and what lets us in. */
export interface Authenticator {
  readonly server: URL;
  credentials(): Promise<Credentials>;
  /** Forgets what is held, after the server did not accept it: a token may have been rotated. */
  invalidate(): void;
}

/** Service account tokens on disk and exec plugins are asked again this often. */
const HOLD_MS = 30_000;

/**
 * Reads server, TLS material and credentials out of a KubeConfig (file, in-cluster or exec plugin).
 * Throws when the current context names no cluster.
 */
export function createAuthenticator(config: KubeConfig, clock: Clock): Authenticator {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`the kubeconfig has no cluster for its current context "${config.getCurrentContext()}"; choose one with --context`);
  const server = new URL(cluster.server);
  const usable = server.protocol === 'http:' ? allowPlainHttp(config) : config;
  let held: { value: Credentials; at: number } | undefined;
  let proxyAgent: Agent | undefined;

  return {
    server,
    invalidate() {
      held = undefined;
    },
    async credentials() {
      if (held !== undefined && clock.monotonic() - held.at < HOLD_MS) return held.value;
      const options: RequestOptions = {};
      await usable.applyToHTTPSOptions(options);
      // client-node makes a new agent for each call. Without a proxy it is dropped unused, and the one of the client serves all.
      if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== '') proxyAgent ??= options.agent as Agent;
      const value: Credentials = {
        headers: headersOf(options),
        tls: pickTls(options),
        ...(proxyAgent === undefined ? {} : { proxyAgent }),
      };
      held = { value, at: clock.monotonic() };
      return value;
    },
  };
}

/** client-node refuses http:// servers unless told not to verify TLS, of which there is none to verify there. */
function allowPlainHttp(config: KubeConfig): KubeConfig {
  const clusters = config.getClusters().map((cluster: Cluster) => (cluster.server.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster));
  // Laid over the one given, because its class is not to be loaded here: it takes 70 MB.
  return Object.create(config, { clusters: { value: clusters } }) as KubeConfig;
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (typeof value === 'string') headers[name] = value;
  }
  if (typeof options.auth === 'string') headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function pickTls(options: RequestOptions): RequestOptions {
  const tls: RequestOptions = {};
  if (options.ca !== undefined) tls.ca = options.ca;
  if (options.cert !== undefined) tls.cert = options.cert;
  if (options.key !== undefined) tls.key = options.key;
  if (options.servername !== undefined) tls.servername = options.servername;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  return tls;
}
