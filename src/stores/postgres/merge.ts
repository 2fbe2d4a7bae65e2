/**
 * Interleaves generators that run at the same time, in the order in which they have something. Each goes on
 * only when the consumer asks for more than it gave. When one throws, or the consumer stops, the others are
 * let finish what they are doing and ended.
 *
 * @param end called first then, so that the others begin nothing more in what they are doing
 */
export async function* merge<T>(generators: readonly AsyncGenerator<T>[], end: () => void): AsyncGenerator<T> {
  const pending = new Map<AsyncGenerator<T>, Promise<Arrival<T>>>();
  const ask = (generator: AsyncGenerator<T>): void => {
    const arrival = generator.next().then((result) => ({ generator, result }));
    // Another generator may throw first; the rejection of this one must not end the process meanwhile.
    arrival.catch(() => undefined);
    pending.set(generator, arrival);
  };
  let through = false;
  try {
    for (const generator of generators) ask(generator);
    while (pending.size > 0) {
      const { generator, result } = await Promise.race(pending.values());
      pending.delete(generator);
      if (result.done === true) continue;
      yield result.value;
      ask(generator);
    }
    through = true;
  } finally {
    if (!through) end();
    await Promise.allSettled(generators.map((generator) => generator.return(undefined)));
  }
}

interface Arrival<T> {
  generator: AsyncGenerator<T>;
  result: IteratorResult<T>;
}
