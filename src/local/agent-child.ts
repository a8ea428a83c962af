// One agent of a mesh on one machine: the same agent that `waggle agent` runs, tied to the `waggle up` that started it.

import { type AgentOptions, defaultAgentOptions, runAgent } from "../agent/agent.ts";

import type { ChildReady } from "./child.ts";

export type AgentInput = Pick<AgentOptions, "url" | "stateDir" | "hostname" | "address" | "images"> & {
  readonly token: string;
};

process.once("message", async (input: AgentInput) => {
  // Whoever started it is gone: stop now, as on Ctrl-C.
  const orphaned = (): boolean => process.kill(process.pid, "SIGINT");
  process.once("disconnect", orphaned);
  let isReady = false;
  const onAssigned = (): void => {
    if (!isReady) process.send?.({ ready: null } satisfies ChildReady<null>);
    isReady = true;
  };
  process.exitCode = await runAgent({ ...defaultAgentOptions, ...input, onAssigned, log: console.log });
  process.off("disconnect", orphaned);
  if (process.connected) process.disconnect();
});
