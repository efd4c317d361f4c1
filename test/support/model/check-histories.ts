/** The property itself: whatever happens, the events become what the model says, and the books balance. */
import fc from 'fast-check';
import type { Stage } from '../stage.ts';
import { TcpGate } from '../tcp-gate.ts';
import { ClusterRun } from './cluster-run.ts';
import { histories } from './histories.ts';

export interface HistoriesOptions {
  readonly stage: Stage;
  readonly runs: number;
  readonly seed: number;
  /** fast-check's path to one of the runs of the seed, as a failure prints it. */
  readonly path?: string | undefined;
  /** Look for a shorter history that fails. */
  readonly isShrinking?: boolean;
  /** Kill the API server in some histories. */
  readonly withCrashes?: boolean;
  /** Where the program is, when not in this repository. */
  readonly root?: string | undefined;
  /** Told after each run. */
  readonly played?: (run: number, ms: number) => void;
}

/** What came of it. */
export interface HistoriesResult {
  readonly runs: number;
  /** Undefined when all held; else the seed, the history and what was wrong, in words. */
  readonly failure: string | undefined;
}

/** Plays random histories on the stage until one fails or all have held. */
export async function checkHistories(options: HistoriesOptions): Promise<HistoriesResult> {
  const { stage, root, seed, played } = options;
  const gate = await TcpGate.open(stage.controlPlane.server);
  let runs = 0;
  try {
    const property = fc.asyncProperty(histories(options.withCrashes ?? false), async (history) => {
      runs += 1;
      const begin = performance.now();
      await ClusterRun.play({ stage, gate, root }, history);
      played?.(runs, performance.now() - begin);
    });
    const details = await fc.check(property, {
      seed,
      numRuns: options.runs,
      endOnFailure: !(options.isShrinking ?? false),
      ...(options.path === undefined ? {} : { path: options.path }),
    });
    if (!details.failed || details.counterexample === null) return { runs, failure: undefined };
    const [history] = details.counterexample;
    const { errorInstance: error } = details;
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const commands = history.commands.map((command) => `  ${JSON.stringify(command)}`);
    return {
      runs,
      failure: [
        `seed ${seed}, path ${details.counterexamplePath}, thresholds ${history.thresholds}:`,
        ...commands,
        words,
      ].join('\n'),
    };
  } finally {
    await gate.close();
  }
}
