/** What the exit codes of all commands mean; docs/cli.md lists them. */
export const exitCodes = {
  ok: 0,
  /** Something could not be read, reached or done; what could be was done. */
  problems: 1,
  /** The command line or the configuration is wrong: nothing was done. */
  usage: 2,
  /** The work was done and found what was asked for: `scan --fail-on`, a failed check of `doctor`. */
  findings: 3,
} as const;
