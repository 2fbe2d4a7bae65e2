/** What a schema cannot see, at one field. */
export interface SemanticFinding {
  /** As the API server writes it: `spec.purge.schedule.cron`. */
  path: string;
  /** One line: what is wrong and what to do. */
  message: string;
}
