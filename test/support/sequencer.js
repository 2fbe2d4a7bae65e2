import TestSequencer from '@jest/test-sequencer';

const SERVERS = ['/test/e2e/', '/test/contract/', '/test/controlplane/'];

/**
 * Longest first, by the durations jest remembers. A suite it has not measured yet goes first when it starts servers and
 * last when it starts none: jest itself would look at the size of the file, and begin a short one that works for a
 * minute when nothing is left for the other workers.
 */
export default class LongestFirst extends TestSequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ path, duration }) {
  if (duration != null) return SERVERS.length;
  const server = SERVERS.findIndex((folder) => path.includes(folder));
  return server === -1 ? SERVERS.length + 1 : server;
}
