/**
 * A process of its own that writes objects into a state folder without end and prints the number of each write that was
 * acknowledged. For tests that kill it. Arguments: folder.
 */
import { writeSync } from 'node:fs';
import { openStateDirectory } from '../../src/local/state.ts';
import { Store } from '../../src/local/store.ts';

const store = new Store({ state: openStateDirectory(process.argv[2]!) });
const padding = 'x'.repeat(5000);
for (let count = 1; ; count += 1) {
  const metadata = { name: `thing-${count % 7}`, namespace: 'ns' };
  const { resourceVersion } = store.put('things', { apiVersion: 'v1', kind: 'Thing', metadata, count, padding }).metadata;
  if (count % 5 === 0) {
    const gone = store.get('things', 'ns', `thing-${(count + 3) % 7}`);
    if (gone !== undefined) store.remove('things', gone);
  }
  // Synchronous, so that nothing acknowledged stays in a buffer of the killed process.
  writeSync(1, `${count} ${resourceVersion} ${store.revision}\n`);
}
