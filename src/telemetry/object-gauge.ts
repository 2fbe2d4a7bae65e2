import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

/** A gauge with one series an object of the cluster: it can lose those of an object that is gone, and is capped. */
export interface ObjectGauge {
  set(labels: Labels, value: number): void;
  /** Removes every series that carries all these labels. */
  remove(labels: Labels): void;
  /** Sets these series and removes all others. */
  replace(series: readonly (readonly [Labels, number])[]): void;
}

export interface ObjectGaugeOptions {
  name: string;
  help: string;
  labelNames: readonly string[];
  /** No more series than this; a further one is dropped and `onTruncated` called, since a scrape blocks the process for as long as it is. */
  maxSeries: number;
  onTruncated: (metric: string) => void;
}

/** Declares the gauge in `registry`. */
export function createObjectGauge(registry: Registry, options: ObjectGaugeOptions): ObjectGauge {
  const gauge = new Gauge({ name: options.name, help: options.help, labelNames: [...options.labelNames], registers: [registry] });
  const series = new Map<string, Labels>();
  const keyOf = (labels: Labels): string => JSON.stringify(options.labelNames.map((name) => labels[name] ?? ''));
  const drop = (key: string, held: Labels): void => {
    gauge.remove(held);
    series.delete(key);
  };
  const self: ObjectGauge = {
    set(labels, value) {
      const key = keyOf(labels);
      if (!series.has(key)) {
        if (series.size >= options.maxSeries) {
          options.onTruncated(options.name);
          return;
        }
        series.set(key, { ...labels });
      }
      gauge.set(labels, value);
    },
    remove(labels) {
      for (const [key, held] of series) {
        if (Object.entries(labels).every(([name, value]) => held[name] === value)) drop(key, held);
      }
    },
    replace(next) {
      const wanted = new Set(next.map(([labels]) => keyOf(labels)));
      for (const [key, held] of series) if (!wanted.has(key)) drop(key, held);
      for (const [labels, value] of next) self.set(labels, value);
    },
  };
  return self;
}
