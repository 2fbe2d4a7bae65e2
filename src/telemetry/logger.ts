import winston from 'winston';
import { redact } from './redact.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

/** The logger as the code sees it. Fields are redacted before anything is written; an Error goes in as `{ error }`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  level: LogLevel;
  /** Where lines go; standard error when left out, since standard output belongs to a command's result. */
  stream?: NodeJS.WritableStream;
  /** Fields of every line, such as the version. */
  fields?: LogFields;
}

/** A logger that writes one JSON object a line: `time`, `level`, `message`, then the fields. */
export function createLogger(options: LoggerOptions): Logger {
  const backend = winston.createLogger({
    level: options.level,
    levels: Object.fromEntries(LOG_LEVELS.map((level, index) => [level, index])),
    format: winston.format.printf((info) => JSON.stringify(info['line'])),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  return wrap(backend, options.fields ?? {});
}

function wrap(backend: winston.Logger, base: LogFields): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (!backend.isLevelEnabled(level)) return;
    // The line is built here and carried whole, because winston joins a field called "message" into the text
    // and reads a field called "level" as the level.
    const { time: _time, level: _level, message: _message, ...rest } = { ...base, ...fields };
    const line = { time: new Date().toISOString(), level, message: redact(message), ...(redact(rest) as object) };
    backend.log({ level, message: '', line });
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => wrap(backend, { ...base, ...fields }),
  };
}

/** A logger that writes nothing: for commands that print their own result, and for tests. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
