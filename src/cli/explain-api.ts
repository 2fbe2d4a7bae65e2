import { isNotServed, type ApiError } from '../runtime/client.ts';
import { EXIT, type Cluster, type ExitCode } from './context.ts';

/**
 * What a failed request to the API server says to the person at the keyboard: what was asked, where, which file said so,
 * and what to do next.
 *
 * @param asked where the request went; undefined in a process that has its own API server
 */
export function fromApi(error: ApiError, asked: Cluster | undefined): { message: string; exitCode: ExitCode } {
  const { status, message } = error;
  const where = asked ? ` at ${asked.server} (${asked.from})` : '';
  const say = (next: string, exitCode: ExitCode): { message: string; exitCode: ExitCode } => ({ message: `${message}; ${next}`, exitCode });
  switch (true) {
    case status === 401:
      return say(`the API server${where} does not know this user: sign in again, or choose another with --kubeconfig or --context`, EXIT.input);
    // What an admission policy refuses says itself what is wrong.
    case status === 403 && /cannot \S+ resource/.test(message):
      return say('have this right granted, or choose a user who has it with --kubeconfig or --context', EXIT.input);
    case isNotServed(error):
      return say(`install the definitions (kubectl apply -f crds) in the cluster${where}, or choose another with --kubeconfig or --context`, EXIT.input);
    case status === 409:
      return say('it changed meanwhile, look at it and try again', EXIT.input);
    case error.reason === 'BadAnswer':
      return say(`look at the address: it was asked${where}; choose another with --kubeconfig or --context`, EXIT.unreachable);
    case error.reason === 'NoCredentials':
      return say(`mend the user of ${asked?.from ?? 'the kubeconfig'}, or choose another with --kubeconfig or --context`, EXIT.unreachable);
    case status === 0:
      return say(`it was asked${where}: ${ofConnection(error.cause)}`, EXIT.unreachable);
    case status >= 400 && status < 500 && status !== 429:
      return { message, exitCode: EXIT.input };
    default:
      return say(`it was asked${where}; try again`, EXIT.unreachable);
  }
}

/** What to do about a connection that did not come about. */
function ofConnection(cause: unknown): string {
  const { code = '' } = Object(cause) as Partial<NodeJS.ErrnoException>;
  if (code === 'ECONNREFUSED') return 'nothing listens there; start it, or choose another with --kubeconfig or --context';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'nobody knows an address of that name; correct it, or look at the name server';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid today; renew it, or look at the clock of this machine';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for other names; use one of them as address, or set tls-server-name';
  if (/CERT|SIGNATURE|ISSUER/.test(code)) return 'its certificate is not signed by the certificate-authority given there; if it is the right server, correct that';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return 'what listens there does not speak TLS as we do; look at scheme and port';
  return 'look whether it runs and whether it can be reached from here, or choose another with --kubeconfig or --context';
}
