import pc from 'picocolors';

/** Prints the demo as numbered steps; a step whose claim is not true ends it. */
export interface Narrator {
  step(title: string, why?: string): void;
  say(text: string): void;
  /** States a claim the demo makes and ends the demo when it does not hold. */
  check(claim: string, holds: boolean): void;
  bar(done: number, total: number, note?: string): void;
}

export class ClaimError extends Error {
  override readonly name = 'ClaimError';
}

export function createNarrator(out: NodeJS.WriteStream, begun: number): Narrator {
  let number = 0;
  let barOpen = false;
  const line = (text = ''): void => {
    if (barOpen) out.write('\n');
    barOpen = false;
    out.write(`${text}\n`);
  };
  return {
    step(title, why) {
      number += 1;
      const seconds = ((Date.now() - begun) / 1000).toFixed(0);
      line();
      line(`${pc.bold(pc.cyan(`${String(number).padStart(2)}  ${title}`))} ${pc.dim(`${seconds} s`)}`);
      if (why) line(pc.dim(`    ${why}`));
    },
    say(text) {
      for (const each of text.trimEnd().split('\n')) line(`    ${each}`);
    },
    check(claim, holds) {
      line(`    ${holds ? pc.green('✓') : pc.red('✗')} ${claim}`);
      if (!holds) throw new ClaimError(claim);
    },
    bar(done, total, note = '') {
      const width = 32;
      const filled = total === 0 ? width : Math.min(width, Math.round((done / total) * width));
      const text = `    ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} ${note}`;
      if (out.isTTY) out.write(`\r${text}\u001b[K`);
      else out.write(`${text}\n`);
      barOpen = out.isTTY;
    },
  };
}
