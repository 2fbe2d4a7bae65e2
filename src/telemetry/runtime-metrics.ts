import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/**
 * The metrics of the Kubernetes machinery, under the names controller-runtime and client-go use, so that the dashboards
 * and alerts people already have for other operators work here as they are.
 */
export type RuntimeMetrics = ReturnType<typeof createRuntimeMetrics>;

/** What a work queue reports when it is asked at scrape time, in seconds. */
export interface QueueAges {
  unfinished: number;
  longest: number;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_SECONDS = [0.001, 0.01, 0.1, 1, 10, 100, 1000];

/** Declares the metrics in `registry`; call once for a registry. */
export function createRuntimeMetrics(registry: Registry) {
  const registers = [registry];
  const queueAges = new Map<string, () => QueueAges>();
  const ageGauge = (name: string, help: string, pick: (ages: QueueAges) => number): Gauge<'name' | 'controller'> =>
    new Gauge({
      name,
      help,
      labelNames: ['name', 'controller'],
      registers,
      collect() {
        this.reset();
        for (const [queue, read] of queueAges) this.set({ name: queue, controller: queue }, pick(read()));
      },
    });
  ageGauge('workqueue_unfinished_work_seconds', 'Seconds of work in progress that was not yet counted in work_duration; large values mean stuck workers.', (ages) => ages.unfinished);
  ageGauge('workqueue_longest_running_processor_seconds', 'Seconds the longest running worker has been busy with its present item.', (ages) => ages.longest);

  return {
    reconcileTotal: new Counter({ name: 'controller_runtime_reconcile_total', help: 'Reconciliations per controller and result (success, error, requeue_after, timeout, terminal_error).', labelNames: ['controller', 'result'], registers }),
    reconcileErrors: new Counter({ name: 'controller_runtime_reconcile_errors_total', help: 'Reconciliations that failed and will be tried again.', labelNames: ['controller'], registers }),
    terminalErrors: new Counter({ name: 'controller_runtime_terminal_reconcile_errors_total', help: 'Reconciliations that failed in a way only a person can mend.', labelNames: ['controller'], registers }),
    reconcilePanics: new Counter({ name: 'controller_runtime_reconcile_panics_total', help: 'Reconciliations ended by a programming error such as a TypeError.', labelNames: ['controller'], registers }),
    reconcileTimeouts: new Counter({ name: 'controller_runtime_reconcile_timeouts_total', help: 'Reconciliations aborted at their deadline.', labelNames: ['controller'], registers }),
    reconcileSeconds: new Histogram({ name: 'controller_runtime_reconcile_time_seconds', help: 'Seconds one reconciliation took.', labelNames: ['controller'], buckets: SECONDS, registers }),
    maxConcurrent: new Gauge({ name: 'controller_runtime_max_concurrent_reconciles', help: 'Workers a controller may use.', labelNames: ['controller'], registers }),
    activeWorkers: new Gauge({ name: 'controller_runtime_active_workers', help: 'Workers busy at present.', labelNames: ['controller'], registers }),

    queueDepth: new Gauge({ name: 'workqueue_depth', help: 'Items waiting in the work queue.', labelNames: ['name', 'controller'], registers }),
    queueAdds: new Counter({ name: 'workqueue_adds_total', help: 'Items added to the work queue.', labelNames: ['name', 'controller'], registers }),
    queueRetries: new Counter({ name: 'workqueue_retries_total', help: 'Items added again with back-off.', labelNames: ['name', 'controller'], registers }),
    queueSeconds: new Histogram({ name: 'workqueue_queue_duration_seconds', help: 'Seconds an item waited in the work queue.', labelNames: ['name', 'controller'], buckets: QUEUE_SECONDS, registers }),
    workSeconds: new Histogram({ name: 'workqueue_work_duration_seconds', help: 'Seconds the work on one item took.', labelNames: ['name', 'controller'], buckets: QUEUE_SECONDS, registers }),
    /** Registers how the queue of that name tells its ages; returns the function that forgets it. */
    watchQueue(name: string, read: () => QueueAges): () => void {
      queueAges.set(name, read);
      return () => {
        if (queueAges.get(name) === read) queueAges.delete(name);
      };
    },

    restRequests: new Counter({ name: 'rest_client_requests_total', help: 'Requests to the API server by status code ("<error>" without an answer), method and host.', labelNames: ['code', 'method', 'host'], registers }),
    restSeconds: new Histogram({ name: 'rest_client_request_duration_seconds', help: 'Seconds from sending a request until its answer was read, watches excepted.', labelNames: ['verb', 'host'], buckets: SECONDS, registers }),
    restRetries: new Counter({ name: 'rest_client_request_retries_total', help: 'Requests to the API server sent again.', labelNames: ['code', 'verb', 'host'], registers }),
    rateLimiterSeconds: new Histogram({ name: 'rest_client_rate_limiter_duration_seconds', help: 'Seconds a request waited for the client-side rate limit.', labelNames: ['verb', 'host'], buckets: SECONDS, registers }),

    leader: new Gauge({ name: 'leader_election_master_status', help: '1 while this process leads.', labelNames: ['name'], registers }),
    leaderSlowpath: new Counter({ name: 'leader_election_slowpath_total', help: 'Renewals that had to read the lease again first.', labelNames: ['name'], registers }),

    reflectorLists: new Counter({ name: 'reflector_lists_total', help: 'Complete lists a cache made, by resource.', labelNames: ['name'], registers }),
    reflectorWatches: new Counter({ name: 'reflector_watches_total', help: 'Watches a cache opened, by resource.', labelNames: ['name'], registers }),
    reflectorFailures: new Counter({ name: 'reflector_failures_total', help: 'Lists and watches that ended in an error, by resource and reason.', labelNames: ['name', 'reason'], registers }),
    reflectorItems: new Gauge({ name: 'reflector_items', help: 'Objects in the cache, by resource.', labelNames: ['name'], registers }),
  };
}
