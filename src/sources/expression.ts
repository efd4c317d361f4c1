/**
 * Expressions of declarative sources as a source sees them: compiled and checked, with bounded effort. The language is CEL;
 * src/config/cel.ts compiles it.
 */
import type { Fields } from '../lib/fields.ts';
import type { Carrier, RejectionReason } from './source.ts';

/** What an expression may look at. */
export interface Variables {
  readonly document: Fields;
  /** The entry that is looked at; expressions about the whole document do not know it. */
  readonly item?: unknown;
  /** The ConfigMap key that the document came in; empty where it came another way. */
  readonly carrier: Carrier | Readonly<Record<string, never>>;
}

/** A compiled expression. */
export interface Expression {
  /** As it stands in the configuration. */
  readonly text: string;
  /** Gives a value of CEL: bigint for int, Date for timestamp, Map or object for map. Throws ExpressionError, nothing else. */
  evaluate(variables: Variables, effort: Effort): unknown;
}

/**
 * How much evaluating one document may cause, in units: about one for each step of an expression, for sixteen characters
 * of text that is looked at, for each value that is compared.
 */
export class Effort {
  left: number;

  constructor(units: number) {
    this.left = units;
  }
}

/** An expression that has no value for what it was given. Its message never holds anything of the document. */
export class ExpressionError extends Error {
  readonly code = 'EXPRESSION_ERROR';
  readonly reason: RejectionReason;
  constructor(reason: RejectionReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ExpressionError';
    this.reason = reason;
  }
}
