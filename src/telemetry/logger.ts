/** JSON lines on stdout, by winston. Field names are stable and documented (docs/logs.md). */
import winston from 'winston';
import { boundedStream } from './bounded-stream.ts';

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A static message and its fields; never an object of unknown content, never a secret. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** Plain values only. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly out: NodeJS.WritableStream;
}

const maximumWaitingBytes = 1024 * 1024;

/** A logger with the controls that its owner has. */
export interface ControlledLogger extends Logger {
  /** Lines dropped because nobody read them, or because they could not be written. */
  dropped(): number;
  /** Resolves when nobody reads the lines any more, nor ever will. */
  readonly broken: Promise<undefined>;
  setLevel(level: LogLevel): void;
}

/** `{"time","level","message",...fields}` a line. */
export function createLogger({ level, out }: LoggerOptions): ControlledLogger {
  const { stream, dropped, broken } = boundedStream(out, maximumWaitingBytes);
  const logger = winston.createLogger({
    level,
    format: winston.format.printf(({ level: lineLevel, message, ...fields }) =>
      JSON.stringify({ time: new Date().toISOString(), level: lineLevel, message, ...fields }),
    ),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  let rank = logLevels.indexOf(level);
  // A line below the level costs winston as much as one that is written.
  const at = (lineLevel: LogLevel) => {
    const lineRank = logLevels.indexOf(lineLevel);
    return (message: string, fields?: LogFields) => {
      if (lineRank <= rank) logger.log(lineLevel, message, fields);
    };
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    dropped,
    broken,
    setLevel(next) {
      rank = logLevels.indexOf(next);
      logger.level = next;
    },
  };
}
