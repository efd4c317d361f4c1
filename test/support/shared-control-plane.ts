/** One control plane for all test files of a run: each file is a process of its own, and starting one takes seconds. */
import { ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlaneState } from '../cluster/state.ts';

/** How the runner hands its control plane to the test files: the state as JSON. */
export const controlPlaneVariable = 'ZEN_TEST_CONTROL_PLANE';

export interface UsedControlPlane {
  readonly controlPlane: ControlPlane;
  /** To be called when the file is done; ends the control plane only if it was started for this file. */
  readonly stop: () => Promise<void>;
}

/**
 * The control plane of the run, or one of its own for a file that is run alone. Other files use it at the same time:
 * a test works in namespaces with names of its own and removes what it made.
 */
export async function useControlPlane(): Promise<UsedControlPlane> {
  const handedDown = process.env[controlPlaneVariable];
  if (handedDown) {
    const controlPlane = new ControlPlane(JSON.parse(handedDown) as ControlPlaneState);
    return { controlPlane, stop: async () => {} };
  }
  const controlPlane = await startControlPlane({ auditLog: true, log: (line) => process.stderr.write(`${line}\n`) });
  return { controlPlane, stop: () => controlPlane.stop() };
}
