import type { BlockRange } from './statements.ts';

/** Size of the next batch, in heap pages or rows, and what a batch of that size is expected to cost. */
export interface BatchSize {
  size: number;
  /** Milliseconds, exponential moving average of the cost of a page or row, times the size; undefined before the first batch. */
  smoothedMs?: number;
}

export interface SizeBounds {
  min: number;
  max: number;
  /** To start with, per millisecond a batch may take. */
  perMs: number;
}

/** Heap pages: 150, about 10,000 rows of 120 bytes, took 18 ms. More than the most would outrun the statement timeout when a sparse stretch of the heap ends. */
export const PAGES: SizeBounds = { min: 1, max: 3_000, perMs: 3 };
/** Rows in the order of an index. */
export const ROWS: SizeBounds = { min: 1, max: 20_000, perMs: 40 };

const SMOOTHING = 0.4;
/** Below this part of the limit twice as much still fits with room to spare. */
const FAR_BELOW = 0.4;
/** Aim a little under the limit, so that the usual variance stays under it. */
const TARGET = 0.9;

/** The size of the first batch, when nothing is known of the table. */
export function firstSize(maxBatchMillis: number, bounds: SizeBounds): BatchSize {
  return { size: clamp(Math.round(bounds.perMs * maxBatchMillis), bounds) };
}

/** The size after a batch that took `millis`: twice as much far below the limit, a fifth more where that still fits, a fifth less above it. */
export function adaptSize(current: BatchSize, millis: number, maxBatchMillis: number, bounds: SizeBounds): BatchSize {
  const smoothedMs = current.smoothedMs === undefined ? millis : SMOOTHING * millis + (1 - SMOOTHING) * current.smoothedMs;
  // Rounded up, or a batch of one page would stay one page for ever.
  const larger = Math.ceil(current.size * (smoothedMs <= FAR_BELOW * maxBatchMillis ? 2 : 1.2));
  const resized = (size: number): BatchSize => ({ size: clamp(size, bounds), smoothedMs: (smoothedMs * clamp(size, bounds)) / current.size });
  if (smoothedMs > maxBatchMillis) return resized(Math.floor(current.size * 0.8));
  if ((smoothedMs * larger) / current.size <= TARGET * maxBatchMillis) return resized(larger);
  return { size: current.size, smoothedMs };
}

/** The size after a batch that was rolled back. The cost so far says nothing about the smaller one. */
export function halveSize(current: BatchSize, bounds: SizeBounds): BatchSize {
  return { size: clamp(Math.floor(current.size / 2), bounds) };
}

function clamp(size: number, { min, max }: SizeBounds): number {
  return Math.min(max, Math.max(min, size));
}

/** Milliseconds before the n-th retry (from 0): doubling from 25 to 1,600, half of it random so that two workers part. */
export function retryDelay(attempt: number, random: () => number): number {
  const full = 25 * 2 ** Math.min(attempt, 6);
  return full / 2 + (full / 2) * random();
}

/** Heap pages that no pass has visited yet, cut into about equal parts. */
export function remainingRanges(pages: number, visited: readonly BlockRange[], parts: number): BlockRange[] {
  const gaps: BlockRange[] = [];
  let next = 0;
  for (const range of [...visited].toSorted((a, b) => a.from - b.from)) {
    if (range.from > next) gaps.push({ from: next, to: Math.min(range.from, pages) });
    next = Math.max(next, range.to);
  }
  if (next < pages) gaps.push({ from: next, to: pages });
  const total = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const part = Math.max(1, Math.ceil(total / parts));
  return gaps.flatMap((gap) => cut(gap, part));
}

function cut({ from, to }: BlockRange, part: number): BlockRange[] {
  const parts: BlockRange[] = [];
  for (let start = from; start < to; start += part) parts.push({ from: start, to: Math.min(to, start + part) });
  return parts;
}
