import { BlockList, isIP } from 'node:net';
import type { ObjectRef } from '../api/object.ts';
import type { EntryPointAnswer, EntryPointReading, EntryPointsReading } from '../connect/entry-points.ts';
import { answerOfPlace, worstAnswer, type PortAnswer } from './answer.ts';
import type { Gateway, HttpRoute, Ingress } from './objects.ts';
import { askAgainAt, entryPoints, parentsOf, questionOf, type EntryPoint, type Place } from './plan.ts';
import type { Question } from './probe.ts';

export interface EntryPointContext {
  /** As the caches have them. */
  objects: {
    ingresses(namespace: string): readonly Ingress[];
    routes(namespace: string): readonly HttpRoute[];
    gateway(ref: ObjectRef): Gateway | undefined;
  };
  /** Asks one port of one IP address; see `askPort`. Absent: only what the objects say is read. */
  ask?: (question: Question, signal: AbortSignal) => Promise<PortAnswer>;
  /** IP addresses of a host name. */
  lookup: (host: string) => Promise<string[]>;
  /** True where the operator runs on the machine of its user: in a pod, the loopback is the pod's own. */
  loopback: boolean;
  userAgent: string;
  now: () => number;
}

/** Of one namespace; more are a sign of something else than entry points, and are said to be left out. */
const MOST_POINTS = 200;
/** Of one entry point. */
const MOST_ADDRESSES = 4;
/** Entry points asked at the same time. */
const AT_ONCE = 8;

/**
 * Reads the entry points of a namespace and asks each, but for those that were asked the same not long ago: an object of
 * many hosts that changes each second must not send a request for each of them each time.
 */
export async function observeEntryPoints(namespace: string, before: EntryPointsReading | undefined, context: EntryPointContext, signal: AbortSignal): Promise<EntryPointsReading> {
  const { ingresses, routes, gateway } = context.objects;
  const ofNamespace = routes(namespace);
  const gateways = new Map(ofNamespace.flatMap(parentsOf).map((ref) => [`${ref.namespace}/${ref.name}`, gateway(ref)]));
  const points = entryPoints({ ingresses: ingresses(namespace), routes: ofNamespace, gateways: [...gateways.values()].filter((each) => each !== undefined) });
  const standing = new Map(before?.points.map((point) => [point.name, point]));
  const asked = await atOnce(points.slice(0, MOST_POINTS), async (point): Promise<EntryPointReading> => {
    const { name, tls } = point;
    const question = questionOf(point);
    const last = standing.get(name);
    if (last?.question === question && askAgainAt(last) > context.now()) return { ...last, tls };
    return { name, tls, question, at: context.now(), ...(await askPoint(point, context, signal)) };
  });
  return { at: Math.min(context.now(), ...asked.map(({ at }) => at)), complete: asked.length === points.length, points: asked };
}

async function askPoint({ host, path, places }: EntryPoint, { ask, lookup, loopback, userAgent }: EntryPointContext, signal: AbortSignal): Promise<EntryPointAnswer> {
  if (!ask) return {};
  const answers: EntryPointAnswer[] = [];
  for (const { address, ports } of (await addressesOf(places, lookup)).slice(0, MOST_ADDRESSES)) {
    if (!mayAsk(address, loopback)) {
      answers.push({});
      continue;
    }
    answers.push(answerOfPlace(await Promise.all(ports.map((port) => ask({ address, port, path, userAgent, ...(host === undefined ? {} : { host }) }, signal)))));
  }
  return worstAnswer(answers);
}

/** A name that cannot be looked up stays as it is, and is then no address that may be asked. */
async function addressesOf(places: readonly Place[], lookup: EntryPointContext['lookup']): Promise<Place[]> {
  const found = await Promise.all(
    places.map(async ({ address, ports }) => {
      const addresses = isIP(address) === 0 ? await lookup(address).catch(() => [address]) : [address];
      return addresses.map((each) => ({ address: each, ports }));
    }),
  );
  return found.flat();
}

/** Where clouds tell their machines who they are, and give out credentials, beside link-local addresses. */
const OF_CLOUDS = ['fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'];

/** Requests go where entry points are, never to what a cloud keeps for its machines, or to this process's own neighbours. */
function mayAsk(address: string, loopback: boolean): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const closed = new BlockList();
  closed.addSubnet('169.254.0.0', 16, 'ipv4');
  closed.addSubnet('fe80::', 10, 'ipv6');
  for (const machine of OF_CLOUDS) closed.addAddress(machine, isIP(machine) === 4 ? 'ipv4' : 'ipv6');
  closed.addSubnet('0.0.0.0', 8, 'ipv4');
  closed.addAddress('::', 'ipv6');
  closed.addSubnet('224.0.0.0', 3, 'ipv4');
  closed.addSubnet('ff00::', 8, 'ipv6');
  if (!loopback) {
    closed.addSubnet('127.0.0.0', 8, 'ipv4');
    closed.addAddress('::1', 'ipv6');
  }
  return !closed.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** The results in order, a few at a time. */
async function atOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
